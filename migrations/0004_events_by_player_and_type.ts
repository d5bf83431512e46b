import { type Kysely, sql } from "kysely";

// A search for one type of a player's events read all of the player's events. An index by player and type replaces the one by
// player, because an additional index would cost every archived event. Custom events have no player.
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
