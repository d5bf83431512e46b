import { sql } from "kysely";
import type { Database } from "../../internal/postgres/connect.ts";

/**
 * Locks a table against everybody, so that queries of it hang; in the mode `share` only those that write.
 * @returns unlocks it
 */
export async function lockTable(
  db: Database,
  table: string,
  mode: "access exclusive" | "share" = "access exclusive",
): Promise<() => Promise<void>> {
  const locked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const locking = db.transaction().execute(async (trx) => {
    await sql`lock table ${sql.table(table)} in ${sql.raw(mode)} mode`.execute(trx);
    locked.resolve();
    await release.promise;
  });
  await Promise.race([locked.promise, locking]);
  return () => {
    release.resolve();
    return locking;
  };
}
