import type { Database } from "../postgres/connect.ts";
import { asking } from "../postgres/connect.ts";
import { CommandError } from "../service/command-error.ts";
import { nearMiss } from "../service/near-miss.ts";

/**
 * Whether there is a client, for people who may have mistyped it.
 * @returns undefined, or a sentence that names the client that was probably meant. @throws Unavailable
 */
export async function missingClient(db: Database, client: string): Promise<string | undefined> {
  const rows = await asking(undefined, () => db.selectFrom("clients").select("id").execute());
  const ids = rows.map(({ id }) => id);
  if (ids.includes(client)) return undefined;
  const meant = nearMiss(client, ids);
  const next = meant === undefined ? `"croupier clients list" shows them.` : `did you mean ${meant}?`;
  return `There is no client ${client}: ${next}`;
}

/** For commands about one client: the answer about one that does not exist would look like "nothing". @throws CommandError, Unavailable */
export async function requireClient(db: Database, client: string | undefined): Promise<void> {
  const missing = client === undefined ? undefined : await missingClient(db, client);
  if (missing !== undefined) throw new CommandError(missing);
}
