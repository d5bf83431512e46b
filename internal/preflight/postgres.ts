import { sql } from "kysely";
import { connectPostgres, whyAway } from "../postgres/connect.ts";
import { sqlState } from "../postgres/sql-state.ts";
import { withoutPassword } from "../service/log.ts";
import { Refused } from "../service/unavailable.ts";
import { silent, untilThere, type Watcher } from "./attempt.ts";

/** Wrong password, no such role or database, no right to connect (Postgres manual, appendix A). */
const refusals = ["28P01", "28000", "3D000", "42501"];

/** Tries a Postgres. @throws Refused when it does not let us in */
export async function tryPostgres(url: string, watcher: Watcher): Promise<void> {
  const where = `Postgres at ${withoutPassword(url)}`;
  await using db = connectPostgres(url, "up", silent, { max: 1 });
  await untilThere(
    where,
    async () => {
      try {
        await sql`select 1`.execute(db, { signal: watcher.signal });
      } catch (err) {
        if (err instanceof Error && refusals.includes(sqlState(err) ?? ""))
          throw new Refused(`${where} refuses us: ${err.message}: check DATABASE_URL`, { cause: err });
        throw err instanceof Error ? new Error(whyAway(err), { cause: err }) : err;
      }
    },
    watcher,
  );
}
