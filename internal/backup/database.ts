import type { PostgresPoolClient } from "kysely";
import pg from "pg";
import { CommandError } from "../service/command-error.ts";
import { type EndLine, tables } from "./format.ts";

/** The database's migrations, in order. @throws CommandError when it has none */
export async function appliedMigrations(client: PostgresPoolClient): Promise<string[]> {
  const found = await client.query<{ name: string | null }>(
    "select to_regclass('kysely_migration') as name",
    [],
  );
  if (found.rows[0]?.name == null)
    throw new CommandError("The database is empty: run croupier migrate there first.");
  const { rows } = await client.query<{ name: string }>(
    "select name from kysely_migration order by name",
    [],
  );
  return rows.map(({ name }) => name);
}

/** The identity columns, each with the last number given out. */
export async function identityColumns(client: PostgresPoolClient): Promise<EndLine["identities"]> {
  const { rows } = await client.query<EndLine["identities"][number]>(
    `select t.relname as table, a.attname as column, (
       select last_value::text from pg_sequences
       where format('%I.%I', schemaname, sequencename)::regclass
         = pg_get_serial_sequence(format('%I.%I', n.nspname, t.relname), a.attname)::regclass) as last
     from pg_attribute a join pg_class t on t.oid = a.attrelid join pg_namespace n on n.oid = t.relnamespace
     where n.nspname = current_schema() and t.relname = any ($1) and a.attidentity <> '' and not a.attisdropped
     order by t.relname, a.attname`,
    [tables],
  );
  return rows;
}

/** What a database contains from its migrations alone: not yet in use. */
const given: Partial<Record<(typeof tables)[number], string>> = {
  clients: "id = 'casino'",
  event_types: "built_in",
  games: "client_id = 'casino'",
  game_versions: "client_id = 'casino'",
};

/** The tables that somebody has filled. */
export async function tablesInUse(client: PostgresPoolClient): Promise<readonly string[]> {
  const asked = tables.map((table) => {
    const name = pg.escapeIdentifier(table);
    return `exists (select from ${name} where not (${given[table] ?? "false"})) as ${name}`;
  });
  const { rows } = await client.query<Record<string, boolean>>(`select ${asked.join(", ")}`, []);
  return tables.filter((table) => rows[0]?.[table] === true);
}
