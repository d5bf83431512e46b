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
      -- Calls per second; null: no limit.
      rate_limit integer check (rate_limit between 1 and 10000),
      -- One event at a time per player.
      ordered boolean not null default false,
      -- Maximum events per call.
      batch integer not null default 1 check (batch between 1 and 100),
      enabled boolean not null default true,
      disabled_at timestamptz,
      disabled_reason text,
      -- Since when every attempt has failed.
      failing_since timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db);
  await sql`create index destinations_by_client on destinations (client_id, id)`.execute(db);

  await sql`
    create table destination_secrets (
      id bigint generated always as identity primary key,
      destination_id text not null references destinations (id) on delete cascade,
      -- Encrypted, with the name of the key used.
      secret text not null,
      created_at timestamptz not null default now(),
      -- Null: the current secret. During a rotation the previous one also signs until this time.
      expires_at timestamptz
    )`.execute(db);
  await sql`
    create index destination_secrets_by_destination on destination_secrets (destination_id, id desc)`.execute(
    db,
  );

  // One row per event and attempt. No foreign keys, as in the archive: rows come by the thousand, and outlive their
  // destination.
  await sql`
    create table deliveries (
      id bigint generated always as identity primary key,
      destination_id text not null,
      client_id text not null,
      source text collate "C" not null,
      event_id bigint not null,
      event_type text not null,
      -- The event's sequence in CASINO_EVENTS, if known.
      log_sequence bigint,
      -- The call's header webhook-id: of the event, or of the batch in which it was sent.
      webhook_id text not null,
      -- From 1.
      attempt integer not null,
      outcome text not null check (outcome in ('delivered', 'failed', 'set_aside', 'discarded')),
      status integer,
      duration_ms integer not null,
      error text,
      -- The beginning of the receiver's answer.
      answer text,
      at timestamptz not null
    )`.execute(db);
  await sql`create index deliveries_by_client on deliveries (client_id, at desc, id desc)`.execute(db);
  await sql`create index deliveries_by_destination on deliveries (destination_id, at desc, id desc)`.execute(
    db,
  );
  await sql`create index deliveries_by_event on deliveries (client_id, source, event_id)`.execute(db);
  // People search for these, which are few among many.
  await sql`
    create index deliveries_by_failure on deliveries (client_id, outcome, at desc, id desc)
    where outcome <> 'delivered'`.execute(db);
  // For deleting rows beyond the retention. Rows are stored in order of time, so a block range index suffices.
  await sql`create index deliveries_by_time on deliveries using brin (at) with (autosummarize = on)`.execute(
    db,
  );

  // Requests to send again: one event, or all matching events of the archive.
  await sql`
    create table delivery_requests (
      id bigint generated always as identity primary key,
      destination_id text not null references destinations (id) on delete cascade,
      client_id text not null,
      kind text not null check (kind in ('resend', 'replay')),
      -- For a resend.
      source text,
      event_id bigint,
      -- For a replay: when CASINO_EVENTS stored the events, from inclusive, to exclusive.
      from_at timestamptz,
      to_at timestamptz,
      types text[],
      only_undelivered boolean not null default false,
      created_at timestamptz not null default now(),
      -- The sender's progress: the last event of the archive that it has read.
      position jsonb,
      sent bigint not null default 0,
      done_at timestamptz,
      -- Why it failed.
      error text,
      check (kind <> 'resend' or (source is not null and event_id is not null)),
      check (kind <> 'replay' or (from_at is not null and to_at is not null))
    )`.execute(db);
  await sql`create index delivery_requests_open on delivery_requests (id) where done_at is null`.execute(db);

  // The event's sequence in CASINO_EVENTS. Events archived before have none. Rows are stored nearly in this order, so a block
  // range index suffices to read a narrow range, and costs inserts nearly nothing.
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
