import { type Kysely, sql } from "kysely";

// Each way to search deliveries has an index. An operator searches those of all clients by time, outcome or event alone, and a
// destination may have a million successful ones and few or no failed ones.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`drop index deliveries_by_time`.execute(db);
  await sql`create index deliveries_by_time on deliveries (at desc, id desc)`.execute(db);
  await sql`drop index deliveries_by_event`.execute(db);
  await sql`create index deliveries_by_event on deliveries (event_id, client_id, source)`.execute(db);
  await sql`
    create index deliveries_by_failure_and_time on deliveries (outcome, at desc, id desc)
    where outcome <> 'delivered'`.execute(db);
  await sql`
    create index deliveries_by_failure_and_destination on deliveries (destination_id, outcome, at desc, id desc)
    where outcome <> 'delivered'`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop index deliveries_by_failure_and_destination`.execute(db);
  await sql`drop index deliveries_by_failure_and_time`.execute(db);
  await sql`drop index deliveries_by_event`.execute(db);
  await sql`create index deliveries_by_event on deliveries (client_id, source, event_id)`.execute(db);
  await sql`drop index deliveries_by_time`.execute(db);
  await sql`create index deliveries_by_time on deliveries using brin (at) with (autosummarize = on)`.execute(
    db,
  );
}
