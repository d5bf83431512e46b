import { type RawBuilder, sql } from "kysely";
import type { Database } from "../postgres/connect.ts";

// What `examples` there are the generator picks from.
const draft = "https://json-schema.org/draft/2020-12/schema";

/** What a first try needs. Times are texts that Postgres takes for intervals before now. */
const clients = [
  { id: "casino", name: "The casino" },
  { id: "acme-casino", name: "Acme Casino" },
  { id: "lucky-spin", name: "Lucky Spin" },
] as const;

const players = [
  ["casino", 10, "john@example.com", "1 hour"],
  ["casino", 11, "jane@example.com", "3 hours"],
  ["casino", 12, "bob@example.com", "2 days"],
  ["casino", 13, "rick@example.com", "5 hours"],
  ["casino", 14, "morty@example.com", "1 day"],
  ["acme-casino", 10, "wile@acme.example", "2 hours"],
  ["acme-casino", 11, "bugs@acme.example", "1 day"],
  ["acme-casino", 12, "daffy@acme.example", null],
  ["lucky-spin", 10, "ann@luckyspin.example", "10 minutes"],
  ["lucky-spin", 13, "ben@luckyspin.example", "4 days"],
  ["lucky-spin", 15, "cleo@luckyspin.example", "6 hours"],
] as const;

/** Of the client `casino`; clients without titles of their own are shown these. */
const games = [
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

/** Of those casinos that `up --demo` shows: titles of their own for the same numbers. */
const demoGames = {
  "acme-casino": [
    ...["Anvil Drop", "Canyon Run", "Rocket Skates", "Giant Magnet", "Desert Gold"],
    ...["Dynamite Reels", "Trapdoor", "Earthquake Pills", "Jet Bike", "Invisible Paint"],
  ],
  "lucky-spin": [
    ...["Lucky Sevens", "Clover Field", "Golden Horseshoe", "Wishing Well", "Rainbow's End"],
    ...["Ladybird", "Magpie", "Four Leaves", "Silver Coin", "Shooting Star"],
  ],
} as const;

const types = {
  transaction_approved: {
    $schema: draft,
    type: "object",
    properties: {
      transaction_id: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" },
      player_id: {
        type: "integer",
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        examples: [10, 11, 12, 13, 14, 15],
      },
      amount: { type: "integer", minimum: 0, maximum: 100_000_000 },
      currency: { type: "string", pattern: "^[A-Z]{3}$", examples: ["EUR", "USD", "GBP", "BTC"] },
      method: { enum: ["card", "bank_transfer", "wallet", "crypto"] },
    },
    required: ["transaction_id", "amount", "currency", "method"],
    additionalProperties: false,
  },
  "monitor-app": {
    $schema: draft,
    type: "object",
    properties: {
      app: { type: "string", pattern: "^[a-z0-9-]{1,40}$", examples: ["lobby", "wallet", "game-server"] },
      level: { enum: ["debug", "info", "warning", "error"] },
      message: {
        type: "string",
        minLength: 1,
        maxLength: 1000,
        examples: ["started", "stopped", "request served", "queue is long", "connection lost"],
      },
      host: { type: "string", maxLength: 253, examples: ["node-1", "node-2"] },
      duration_ms: { type: "number", minimum: 0, maximum: 60_000 },
    },
    required: ["app", "level", "message"],
    additionalProperties: false,
  },
} as const;

const ownGames = games.map(([id, title]) => ["casino", id, title] as const);
const gamesOfDemo = Object.entries(demoGames).flatMap(([client, titles]) =>
  titles.map((title, index) => [client, 100 + index, title] as const),
);

/** How many rows were added. */
interface Planted {
  readonly clients: number;
  readonly players: number;
  readonly games: number;
  readonly event_types: number;
}

/** Whether nobody has put anything of their own into the database: no player, no event, and no client but `casino`. */
export async function isUntouched(db: Database): Promise<boolean> {
  const { rows } = await sql<{ untouched: boolean }>`
    select not exists (select from players) and not exists (select from events)
      and not exists (select from clients where id <> 'casino') as untouched`.execute(db);
  return rows[0]?.untouched === true;
}

/**
 * Adds clients, players, games and types of event for a first try. What is there already stays as it is, so it may be done
 * again, and by several at once.
 * @param withDemo also the games of two more casinos
 */
export async function plantSamples(db: Database, withDemo = false): Promise<Planted> {
  const rows = withDemo ? [...ownGames, ...gamesOfDemo] : ownGames;
  return db.transaction().execute(async (trx) => {
    const added = async (statements: readonly RawBuilder<unknown>[]): Promise<number> => {
      let count = 0n;
      for (const statement of statements) count += (await statement.execute(trx)).numAffectedRows ?? 0n;
      return Number(count);
    };
    const names = Object.keys(types);
    await added(
      names.map((type) => sql`insert into event_types (name) values (${type}) on conflict do nothing`),
    );
    return {
      clients: await added(
        clients.map(
          ({ id, name }) =>
            sql`insert into clients (id, name) values (${id}, ${name}) on conflict do nothing`,
        ),
      ),
      players: await added(
        players.map(
          ([client, id, email, ago]) => sql`
            insert into players (client_id, id, email, last_signed_in_at)
            values (${client}, ${id}, ${email}, now() - ${ago}::interval) on conflict do nothing`,
        ),
      ),
      games: await added(
        rows.map(
          ([client, id, title]) => sql`
            insert into games (client_id, id, title) values (${client}, ${id}, ${title}) on conflict do nothing`,
        ),
      ),
      event_types: await added(
        Object.entries(types).map(
          ([type, schema]) => sql`
            insert into event_type_schemas (type, schema) values (${type}, ${JSON.stringify(schema)}::jsonb)
            on conflict do nothing`,
        ),
      ),
    };
  });
}
