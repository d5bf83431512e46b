import { type Kysely, sql } from "kysely";

// What became of types of event: event_type_schemas has only how things stand. No foreign keys, so that it stays true after
// a client is removed, and keeps none from being removed.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table event_type_changes (
      id bigint generated always as identity primary key,
      type text not null,
      -- Null: for every client that has none of its own.
      client_id text,
      change text not null check (change in ('registered', 'replaced', 'removed')),
      -- As it was from then on; null when it was removed.
      schema jsonb,
      at timestamptz not null default now(),
      check ((schema is null) = (change = 'removed'))
    )`.execute(db);

  // As the schema's owner: who changes types need not be able to write, or rewrite, what was changed. Whoever registers the same
  // schema again changes nothing.
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

  // The trigger's lock keeps others from changing types until this is committed: none is missed, none is here twice.
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
