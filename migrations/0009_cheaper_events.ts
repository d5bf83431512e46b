import { type Kysely, sql } from "kysely";

// An index was a fifth of the cost of an archived event, and the check of clients and types a tenth.
//
// A page of all of a client's events is now merged from a page of each type, like a page of a player's events, so the index by
// time alone is no longer needed. The check reads the added rows only once, for the few clients and types in them.

const check = (settings: string) => sql`
  create or replace function events_have_clients_and_types() returns trigger
  language plpgsql security definer ${sql.raw(settings)} as $$
  declare
    missing text;
    their_clients text[];
    their_types text[];
  begin
    select array_agg(client_id), array_agg(type) into their_clients, their_types
      from (select distinct client_id, type from added) as kinds;
    -- What is locked here cannot be deleted before this transaction has ended.
    perform from clients where id = any (their_clients) for key share;
    perform from event_types where name = any (their_types) for key share;
    select client into missing from unnest(their_clients) as client
      where not exists (select from clients where id = client) limit 1;
    if found then
      raise foreign_key_violation using message = format('client %L is not registered', missing),
        constraint = 'events_client_id_fkey', table = 'events', schema = tg_table_schema;
    end if;
    select kind into missing from unnest(their_types) as kind
      where not exists (select from event_types where name = kind) limit 1;
    if found then
      raise foreign_key_violation using message = format('event type %L is not registered', missing),
        constraint = 'events_type_fkey', table = 'events', schema = tg_table_schema;
    end if;
    return null;
  end $$`;

export async function up(db: Kysely<never>): Promise<void> {
  await check(await searchPath(db)).execute(db);
  await sql`drop index events_by_time`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  // The function stays, because it guarantees the same.
  await sql`create index events_by_time on events (client_id, created_at desc, source, id)`.execute(db);
}

/** It runs as the schema's owner, and searches tables only in this schema. */
async function searchPath(db: Kysely<never>): Promise<string> {
  const { rows } = await sql<{ place: string }>`select quote_ident(current_schema()) as place`.execute(db);
  return `set search_path = ${rows[0]?.place}, pg_temp`;
}
