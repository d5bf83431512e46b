import { type Kysely, sql } from "kysely";

// The sender deletes requests that were done long ago.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`create index delivery_requests_done on delivery_requests (done_at) where done_at is not null`.execute(
    db,
  );
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop index delivery_requests_done`.execute(db);
}
