import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table destinations (
      -- Part of the name of a durable consumer and of a subject.
      id text primary key check (id ~ '^[a-z0-9]{16}$'),
      client_id text not null references clients (id),
      url text not null,
      -- Null: all types of event.
      types text[],
      -- The client's own headers as JSON, encrypted: they may hold credentials.
      headers text,
      -- Calls a second; null: no limit.
      rate_limit integer check (rate_limit between 1 and 10000),
      -- One event at a time per player.
      ordered boolean not null default false,
      -- Most events of one call.
      batch integer not null default 1 check (batch between 1 and 100),
      enabled boolean not null default true,
      disabled_at timestamptz,
      disabled_reason text,
      -- Since when nothing but failures has come of it.
      failing_since timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db);
  await sql`create index destinations_by_client on destinations (client_id, id)`.execute(db);

  await sql`
    create table destination_secrets (
      id bigint generated always as identity primary key,
      destination_id text not null references destinations (id) on delete cascade,
      -- Encrypted, with the name of the key that it was encrypted with.
      secret text not null,
      created_at timestamptz not null default now(),
      -- Null: the current one. During a rotation the one before still signs, until then.
      expires_at timestamptz
    )`.execute(db);
  await sql`
    create index destination_secrets_by_destination on destination_secrets (destination_id, id desc)`.execute(
    db,
  );

  // One row for each event of each attempt. Without foreign keys, as the archive: it is written by the thousand, and
  // outlives its destination.
  await sql`
    create table deliveries (
      id bigint generated always as identity primary key,
      destination_id text not null,
      client_id text not null,
      source text collate "C" not null,
      event_id bigint not null,
      event_type text not null,
      -- Of the event in CASINO_EVENTS, where it is known.
      log_sequence bigint,
      -- The header of the call: of the event, or of the batch that it travelled in.
      webhook_id text not null,
      -- From 1.
      attempt integer not null,
      outcome text not null check (outcome in ('delivered', 'failed', 'set_aside', 'discarded')),
      status integer,
      duration_ms integer not null,
      error text,
      -- How the receiver's answer begins.
      answer text,
      at timestamptz not null
    )`.execute(db);
  await sql`create index deliveries_by_client on deliveries (client_id, at desc, id desc)`.execute(db);
  await sql`create index deliveries_by_destination on deliveries (destination_id, at desc, id desc)`.execute(
    db,
  );
  await sql`create index deliveries_by_event on deliveries (client_id, source, event_id)`.execute(db);
  // Those that people look for are few among many.
  await sql`
    create index deliveries_by_failure on deliveries (client_id, outcome, at desc, id desc)
    where outcome <> 'delivered'`.execute(db);
  // For deleting what is older than is kept: rows lie in the order of time, so a range of blocks is all it takes.
  await sql`create index deliveries_by_time on deliveries using brin (at) with (autosummarize = on)`.execute(
    db,
  );

  // What the sender is asked to send once more: one event, or those of the archive that match.
  await sql`
    create table delivery_requests (
      id bigint generated always as identity primary key,
      destination_id text not null references destinations (id) on delete cascade,
      client_id text not null,
      kind text not null check (kind in ('resend', 'replay')),
      -- Of a resend.
      source text,
      event_id bigint,
      -- Of a replay: when CASINO_EVENTS stored the event, from inclusive, to exclusive.
      from_at timestamptz,
      to_at timestamptz,
      types text[],
      only_undelivered boolean not null default false,
      created_at timestamptz not null default now(),
      -- How far the sender is: the last event of the archive that it has taken over.
      position jsonb,
      sent bigint not null default 0,
      done_at timestamptz,
      -- Why it came to nothing.
      error text,
      check (kind <> 'resend' or (source is not null and event_id is not null)),
      check (kind <> 'replay' or (from_at is not null and to_at is not null))
    )`.execute(db);
  await sql`create index delivery_requests_open on delivery_requests (id) where done_at is null`.execute(db);

  // The event's place in CASINO_EVENTS. What was archived before has none. Rows lie nearly in this order, so ranges of blocks
  // are enough for whoever reads a narrow range of places, and cost those that are added nearly nothing.
  await sql`alter table events add column log_sequence bigint`.execute(db);
  await sql`
    create index events_by_sequence on events using brin (log_sequence)
    with (pages_per_range = 16, autosummarize = on)`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop index events_by_sequence`.execute(db);
  await sql`alter table events drop column log_sequence`.execute(db);
  for (const table of ["delivery_requests", "deliveries", "destination_secrets", "destinations"])
    await sql`drop table ${sql.table(table)}`.execute(db);
}
