import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<never>): Promise<void> {
  // A disabled client keeps its keys, players and events; its keys are refused, and its events become dead letters.
  await sql`alter table clients add column disabled_at timestamptz`.execute(db);

  // Migrations 0001 and 0003 add samples, and are frozen. This removes the samples that the same transaction added, so that a
  // new database has only the client `casino` and its games. A database of an earlier version keeps everything.
  for (const rows of ["players", "event_type_schemas"])
    await sql`delete from ${sql.table(rows)} where xmin = pg_current_xact_id()::xid`.execute(db);
  await sql`delete from event_types where xmin = pg_current_xact_id()::xid and not built_in`.execute(db);
  await sql`
    delete from clients where xmin = pg_current_xact_id()::xid and id in ('acme-casino', 'lucky-spin')`.execute(
    db,
  );
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`alter table clients drop column disabled_at`.execute(db);
}
