import { type Kysely, sql } from "kysely";

// Of a player who has many events, those of one type were searched among all of his. The index that finds both takes the
// place of the one that found the player: one more would cost every event that is archived. Custom events have no player.
export async function up(db: Kysely<never>): Promise<void> {
  await sql`
    create index events_by_player_and_type on events (client_id, player_id, type, created_at desc, source, id)
    where player_id is not null`.execute(db);
  await sql`drop index events_by_player`.execute(db);
}

export async function down(db: Kysely<never>): Promise<void> {
  await sql`create index events_by_player on events (client_id, player_id, created_at desc, source, id)`.execute(
    db,
  );
  await sql`drop index events_by_player_and_type`.execute(db);
}
