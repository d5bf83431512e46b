import { type Kysely, sql } from "kysely";

// The sender's own notes, one row for each destination: up to where of CASINO_EVENTS its events have left the log (the broker
// moves a consumer's own place along when the log drops its oldest, so it does not tell what was missed), and which sender
// looks after it.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table destination_places (
      destination_id text primary key references destinations (id) on delete cascade,
      log_sequence bigint not null default 0,
      keeper text,
      kept_until timestamptz
    )`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop table destination_places`.execute(db);
}
