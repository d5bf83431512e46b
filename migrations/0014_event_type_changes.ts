import { type Kysely, sql } from "kysely";

// The history of event types; event_type_schemas has only the current state. No foreign keys, so that the history survives a
// client's removal, and does not prevent it.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table event_type_changes (
      id bigint generated always as identity primary key,
      type text not null,
      -- Null: for every client without one of its own.
      client_id text,
      change text not null check (change in ('registered', 'replaced', 'removed')),
      -- The schema from then on; null if it was removed.
      schema jsonb,
      at timestamptz not null default now(),
      check ((schema is null) = (change = 'removed'))
    )`.execute(db);

  // As the schema's owner, so that roles that change types need no right to write or rewrite the history. Registering the same
  // schema again adds no record.
  const { rows } = await sql<{ place: string }>`select quote_ident(current_schema()) as place`.execute(db);
  await sql`
    create function event_type_schemas_changed() returns trigger
    language plpgsql security definer ${sql.raw(`set search_path = ${rows[0]?.place}, pg_temp`)} as $$
    begin
      if tg_op = 'DELETE' then
        insert into event_type_changes (type, client_id, change) values (old.type, old.client_id, 'removed');
      elsif tg_op = 'INSERT' then
        insert into event_type_changes (type, client_id, change, schema)
          values (new.type, new.client_id, 'registered', new.schema);
      elsif new.schema <> old.schema then
        insert into event_type_changes (type, client_id, change, schema)
          values (new.type, new.client_id, 'replaced', new.schema);
      end if;
      return null;
    end $$`.execute(db);
  await sql`
    create trigger event_type_schemas_history after insert or update or delete on event_type_schemas
    for each row execute function event_type_schemas_changed()`.execute(db);

  // The trigger's lock blocks other changes until this commits, so that none is missed or recorded twice.
  await sql`
    insert into event_type_changes (type, client_id, change, schema, at)
    select type, client_id, 'registered', schema, updated_at from event_type_schemas order by updated_at`.execute(
    db,
  );
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop function event_type_schemas_changed cascade`.execute(db);
  await sql`drop table event_type_changes`.execute(db);
}
