import { type Kysely, sql } from "kysely";

// Foreign keys check client and type for each row, which is a third of the cost of inserting many events. A trigger per
// statement checks each client and type of the statement once. It raises the same errors under the same names, and is as safe
// when somebody deletes a client at that moment.

export async function up(db: Kysely<never>): Promise<void> {
  // The functions run as the schema's owner, as foreign keys do, so that roles that add events need no right to read or lock
  // clients. For safety they search tables only in this schema.
  const { rows } = await sql<{ place: string }>`select quote_ident(current_schema()) as place`.execute(db);
  const settings = `set search_path = ${rows[0]?.place}, pg_temp`;

  await sql`
    create function events_have_clients_and_types() returns trigger
    language plpgsql security definer ${sql.raw(settings)} as $$
    declare missing text;
    begin
      -- What is locked here cannot be deleted before this transaction has ended.
      perform from clients where id in (select client_id from added) for key share;
      perform from event_types where name in (select type from added) for key share;
      select client_id into missing from added
        where not exists (select from clients where id = client_id) limit 1;
      if found then
        raise foreign_key_violation using message = format('client %L is not registered', missing),
          constraint = 'events_client_id_fkey', table = 'events', schema = tg_table_schema;
      end if;
      select type into missing from added
        where not exists (select from event_types where name = type) limit 1;
      if found then
        raise foreign_key_violation using message = format('event type %L is not registered', missing),
          constraint = 'events_type_fkey', table = 'events', schema = tg_table_schema;
      end if;
      return null;
    end $$`.execute(db);
  for (const change of ["insert", "update"])
    await sql`
      create trigger ${sql.id(`events_${change}_references`)} after ${sql.raw(change)} on events
      referencing new table as added for each statement execute function events_have_clients_and_types()`.execute(
      db,
    );

  await sql`
    create function events_keep_clients_and_types() returns trigger
    language plpgsql security definer ${sql.raw(settings)} as $$
    declare
      used boolean;
      key text := case tg_table_name when 'clients' then 'id' else 'name' end;
    begin
      if tg_op = 'UPDATE' then
        -- Other columns may change. As JSON, because the two tables name theirs differently.
        if to_jsonb(new) -> key = to_jsonb(old) -> key then return null; end if;
      end if;
      -- A snapshot from before the lock could miss events that were committed since.
      if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise feature_not_supported using
          message = format('rows of %I can only be deleted or renamed in a transaction that is read committed', tg_table_name);
      end if;
      if tg_op = 'TRUNCATE' then
        select exists (select from events) into used;
      elsif tg_table_name = 'clients' then
        select exists (select from events where client_id = old.id) into used;
      else
        select exists (select from events where type = old.name) into used;
      end if;
      if used then
        raise foreign_key_violation using message = format('rows of %I are still referred to by events', tg_table_name),
          constraint = case tg_table_name when 'clients' then 'events_client_id_fkey' else 'events_type_fkey' end,
          table = 'events', schema = tg_table_schema;
      end if;
      return null;
    end $$`.execute(db);
  for (const table of ["clients", "event_types"]) {
    await sql`
      create trigger ${sql.id(`${table}_kept_by_events`)} after delete or update on ${sql.table(table)}
      for each row execute function events_keep_clients_and_types()`.execute(db);
    await sql`
      create trigger ${sql.id(`${table}_kept_whole_by_events`)} after truncate on ${sql.table(table)}
      for each statement execute function events_keep_clients_and_types()`.execute(db);
  }
  await sql`
    alter table events drop constraint events_client_id_fkey, drop constraint events_type_fkey`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`
    alter table events add constraint events_client_id_fkey foreign key (client_id) references clients (id),
      add constraint events_type_fkey foreign key (type) references event_types (name)`.execute(db);
  await sql`drop function events_have_clients_and_types, events_keep_clients_and_types cascade`.execute(db);
}
