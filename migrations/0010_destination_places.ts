import { type Kysely, sql } from "kysely";

// The sender's state of each destination: how far its events have left the log, as a sequence of CASINO_EVENTS, and which
// sender serves it. The consumer's own position cannot tell what was missed, because the broker moves it when the log drops
// its oldest messages.

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
