import { sql } from "kysely";
import type { ConfigDrift } from "../service/config-drift.ts";
import type { Database } from "./connect.ts";

const consequences: Readonly<Record<string, string>> = {
  fsync: "a crash of its machine can damage the whole database",
  full_page_writes: "a crash of its machine can damage pages of the database",
  synchronous_commit:
    "a crash of its machine loses the rows that were committed last, which nobody archives again",
};

/** Settings of Postgres under which a commit guarantees nothing, one sentence each with the next move. */
export async function postgresDrift(db: Database): Promise<ConfigDrift> {
  const { rows } = await sql<{ name: string }>`
    select name from pg_settings where setting = 'off' and name = any(${Object.keys(consequences)}::text[])
    order by name`.execute(db);
  return {
    found: rows.map(
      ({ name }) => `Postgres runs with ${name} off, so that ${consequences[name]}: switch it on`,
    ),
    unseen: [],
  };
}
