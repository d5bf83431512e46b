import { isCasinoType } from "../casino/event.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { ConfigError } from "../service/config.ts";
import { nearMiss } from "../service/near-miss.ts";
import { customEvents } from "./custom.ts";

/** Makes sure that there is this client: events of one that there is not all become dead letters. @throws ConfigError, Unavailable */
export async function checkClient(db: Database, client: string): Promise<void> {
  const rows = await asking(undefined, () => db.selectFrom("clients").select("id").execute());
  const ids = rows.map(({ id }) => id);
  if (ids.includes(client)) return;
  const meant = nearMiss(client, ids);
  const next = meant === undefined ? `"croupier clients list" shows them.` : `did you mean ${meant}?`;
  throw new ConfigError([`There is no client ${client}: ${next}`]);
}

/** Makes sure that each has a client and a type that are there. @throws ConfigError with all that is wrong, Unavailable */
export async function checkProducers(
  db: Database,
  producers: readonly { readonly client: string; readonly type: string | undefined }[],
): Promise<void> {
  const wrong: string[] = [];
  for (const { client, type } of producers)
    try {
      await checkClient(db, client);
      if (type !== undefined && !isCasinoType(type)) await customEvents(db, client, type);
    } catch (err) {
      if (!(err instanceof ConfigError)) throw err;
      wrong.push(...err.problems);
    }
  if (wrong.length > 0) throw new ConfigError([...new Set(wrong)]);
}
