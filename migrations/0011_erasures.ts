import { type Kysely, sql } from "kysely";

// Players whose personal data were erased. Earlier final events may still be on their way into the archive. So whoever adds an
// event of such a player, however late, the event keeps no e-mail except the one that `players` has now.

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table erasures (
      client_id text not null references clients (id) on delete cascade,
      player_id bigint not null check (player_id between 1 and 9007199254740991),
      erased_at timestamptz not null,
      requested_by text not null,
      counts json not null,
      primary key (client_id, player_id)
    )`.execute(db);

  await sql`
    create function without_email(description text, player_id bigint, email text) returns text
    language sql immutable parallel safe as $$
      select case when starts_with(description, 'Player #' || player_id || ' (' || email || ')')
        then 'Player #' || player_id || substr(description, length('Player #' || player_id || ' (' || email || ')') + 1)
        else description end
    $$`.execute(db);

  // As the schema's owner, so that roles that add events need no right to change them or to read players.
  const { rows } = await sql<{ place: string }>`select quote_ident(current_schema()) as place`.execute(db);
  await sql`
    create function events_keep_erased() returns trigger
    language plpgsql security definer ${sql.raw(`set search_path = ${rows[0]?.place}, pg_temp`)} as $$
    begin
      if not exists (select from erasures) then return null; end if;
      update events set player_email = null, player_last_signed_in_at = null,
        description = without_email(events.description, events.player_id, events.player_email)
      from added join erasures on erasures.client_id = added.client_id and erasures.player_id = added.player_id
      where events.client_id = added.client_id and events.source = added.source and events.id = added.id
        and (added.player_email is not null or added.player_last_signed_in_at is not null)
        and added.player_email is distinct from (
          select email from players where players.client_id = added.client_id and players.id = added.player_id);
      return null;
    end $$`.execute(db);
  await sql`
    create trigger events_insert_erased after insert on events
    referencing new table as added for each statement execute function events_keep_erased()`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop function events_keep_erased cascade`.execute(db);
  await sql`drop function without_email`.execute(db);
  await sql`drop table erasures`.execute(db);
}
