import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table api_keys (
      id bigint generated always as identity primary key,
      -- Null: an operator's key, valid for every client.
      client_id text references clients (id),
      source text check (source ~ '^[A-Za-z0-9._-]{1,64}$'),
      prefix text not null,
      -- SHA-256 of the whole key: it is random, so it needs no salt and no slow hash.
      hash bytea not null unique check (octet_length(hash) = 32),
      created_at timestamptz not null default now(),
      expires_at timestamptz,
      revoked_at timestamptz,
      check ((client_id is null) = (source is null))
    )`.execute(db);

  await sql`
    create table event_types (
      name text primary key check (name ~ '^[a-z0-9_-]{1,40}$'),
      built_in boolean not null default false
    )`.execute(db);
  await sql`
    insert into event_types (name, built_in)
    values ('game_start', true), ('game_stop', true), ('bet', true), ('deposit', true)`.execute(db);
  // The schema of a custom type's data: for one client, or (null) for every client without one of its own.
  await sql`
    create table event_type_schemas (
      type text not null references event_types (name),
      client_id text references clients (id),
      schema jsonb not null,
      updated_at timestamptz not null default now(),
      unique nulls not distinct (type, client_id)
    )`.execute(db);

  await sql`
    create table events (
      client_id text not null references clients (id),
      -- Part of the order in which events are listed, so its collation must be the same on every machine.
      source text collate "C" not null,
      id bigint not null,
      type text not null references event_types (name),
      player_id bigint,
      game_id bigint,
      amount bigint,
      currency text,
      has_won boolean,
      created_at timestamptz not null,
      -- Not jsonb, which would sort the keys and change how numbers are written.
      data json,
      amount_eur bigint,
      player_email text,
      player_last_signed_in_at timestamptz,
      description text not null,
      -- Units of the currency per euro, if a rate was used, and the rate's time.
      rate numeric,
      rate_at timestamptz,
      -- When CASINO_EVENTS stored the final event.
      stored_at timestamptz not null,
      primary key (client_id, source, id)
    )`.execute(db);
  await sql`create index events_by_time on events (client_id, created_at desc, source, id)`.execute(db);
  await sql`create index events_by_type on events (client_id, type, created_at desc, source, id)`.execute(db);
  await sql`create index events_by_player on events (client_id, player_id, created_at desc, source, id)`.execute(
    db,
  );
  // For deleting events that are older than the archive's retention.
  await sql`create index events_by_storing on events (stored_at)`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  for (const table of ["events", "event_type_schemas", "event_types", "api_keys"])
    await sql`drop table ${sql.table(table)}`.execute(db);
}
