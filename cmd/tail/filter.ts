import { missingClient } from "../../internal/clients/require-client.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { missingType } from "../../internal/registry/event-types.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { createLog } from "../../internal/service/log.ts";
import { isUnavailable } from "../../internal/service/unavailable.ts";
import type { TailCommand } from "./command.ts";

/**
 * For a filter that no stored event matches: it would wait forever for a client or a type that does not exist. Without
 * Postgres, which `tail` does not need otherwise, nobody can tell.
 * @throws CommandError when there is no such client or type
 */
export async function refuseUnknown(
  { client, type }: Pick<TailCommand, "client" | "type">,
  databaseUrl: string,
  remark: (text: string) => void,
): Promise<void> {
  if (client === undefined && type === undefined) return;
  const db = connectPostgres(databaseUrl, "tail", createLog("tail", "silent"), { max: 1 });
  try {
    const missing =
      (client === undefined ? undefined : await missingClient(db, client)) ??
      (type === undefined ? undefined : await missingType(db, client, type));
    if (missing !== undefined) throw new CommandError(missing);
  } catch (err) {
    if (!isUnavailable(err)) throw err;
    remark(`tail: Nobody can say whether there is such a client or type: ${err.message}.\n`);
  } finally {
    await db.destroy();
  }
}
