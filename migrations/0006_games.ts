import { type Kysely, sql } from "kysely";

// Enrichers keep all titles in memory and check every second for changes. A version per client makes that a query of few rows,
// however many games there are, and shows deletions too.

const titles = [
  [100, "Rocket Dice"],
  [101, "It's bananas!"],
  [102, "Wild Spin"],
  [103, "Book of Dead"],
  [104, "Pirate Jackpots"],
  [105, "Western Gold 2"],
  [106, "Super Rainbow Megaways"],
  [107, "#BarsAndBells"],
  [108, "Fortune Three"],
  [109, "ChilliPop"],
] as const;

export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create table games (
      client_id text not null references clients (id),
      id bigint not null check (id between 1 and 9007199254740991),
      title text not null,
      primary key (client_id, id)
    )`.execute(db);
  await sql`
    create table game_versions (
      client_id text primary key,
      version bigint not null
    )`.execute(db);

  // As the schema's owner, so that roles that change games need no right to write versions.
  const { rows } = await sql<{ place: string }>`select quote_ident(current_schema()) as place`.execute(db);
  const settings = `set search_path = ${rows[0]?.place}, pg_temp`;
  await sql`
    create function games_changed() returns trigger
    language plpgsql security definer ${sql.raw(settings)} as $$
    begin
      if tg_op = 'TRUNCATE' then
        update game_versions set version = version + 1;
      else
        insert into game_versions (client_id, version)
          select client_id, 1 from changed group by client_id order by client_id
          on conflict (client_id) do update set version = game_versions.version + 1;
      end if;
      return null;
    end $$`.execute(db);
  for (const [change, rowsOf] of [
    ["insert", "new"],
    ["update", "new"],
    ["delete", "old"],
  ] as const)
    await sql`
      create trigger ${sql.id(`games_${change}_version`)} after ${sql.raw(change)} on games
      referencing ${sql.raw(rowsOf)} table as changed for each statement execute function games_changed()`.execute(
      db,
    );
  await sql`
    create trigger games_truncate_version after truncate on games
    for each statement execute function games_changed()`.execute(db);

  for (const [id, title] of titles)
    await sql`
      insert into games (client_id, id, title) select id, ${id}::bigint, ${title} from clients where id = 'casino'`.execute(
      db,
    );
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`drop table games, game_versions`.execute(db);
  await sql`drop function games_changed`.execute(db);
}
