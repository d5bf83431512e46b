import { isCasinoType } from "../casino/event.ts";
import { missingClient } from "../clients/require-client.ts";
import type { Database } from "../postgres/connect.ts";
import { ConfigError } from "../service/config.ts";
import { customEvents } from "./custom.ts";

/** Makes sure that there is this client: events of one that there is not all become dead letters. @throws ConfigError, Unavailable */
export async function checkClient(db: Database, client: string): Promise<void> {
  const missing = await missingClient(db, client);
  if (missing !== undefined) throw new ConfigError([missing]);
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
