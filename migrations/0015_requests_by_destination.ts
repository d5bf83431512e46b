import { type Kysely, sql } from "kysely";

// The sender takes each destination's oldest requests: those of one that cannot be served must not hide the others'.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`drop index delivery_requests_open`.execute(db);
  await sql`
    create index delivery_requests_open on delivery_requests (destination_id, id) where done_at is null`.execute(
    db,
  );
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop index delivery_requests_open`.execute(db);
  await sql`create index delivery_requests_open on delivery_requests (id) where done_at is null`.execute(db);
}
