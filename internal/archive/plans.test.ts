import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { writeCursor } from "./cursor.ts";
import { addClients, archiveForTest } from "./database.fixture.ts";
import { explain } from "./explain.fixture.ts";
import { type EventFilter, eventsQuery } from "./find-events.ts";

// Without the services' statement timeout of ten seconds: on a busy machine inserting these rows takes longer.
const db = await archiveForTest(`${await databaseForTest()}?statement_timeout=0`);
await addClients(db, "other", "burst");
const rows = 200_000;
// Five players have a tenth of the events each, one has three events, and one has many but no deposit. One client has
// thousands at the same time.
await sql`
  insert into events (client_id, source, id, type, player_id, created_at, description, stored_at)
  select case when g % 20 = 0 then 'burst' when g % 10 = 1 then 'other' else 'casino' end, 'source-' || g % 3, g,
    case when g % 10 = 3 then 'bet' else (array['bet', 'deposit', 'game_start', 'game_stop'])[1 + g / 7 % 4] end,
    case when g % 70000 = 2 then 999999 when g % 10 = 3 then 77 when g % 2 = 0 then g / 2 % 5 + 1
      else g / 2 % 20000 + 100 end,
    case when g % 20 = 0 then timestamptz '2024-01-01Z' else timestamptz '2024-01-01Z' + g * interval '1 ms' end,
    'd', timestamptz '2024-01-02Z'
  from generate_series(1, ${rows}::int) g`.execute(db);
await sql`analyze events`.execute(db);

const from = "2024-01-01T00:01:00.000Z";
const to = "2024-01-01T00:02:00.000Z";
const cursor = writeCursor({ createdAt: Date.parse(from), source: "source-1", id: 60_000 });
const burst = writeCursor({
  createdAt: Date.parse("2024-01-01T00:00:00.000Z"),
  source: "source-1",
  id: 100_000,
});
const filters: readonly (readonly [string, Partial<EventFilter>])[] = [
  ["a client", {}],
  ["a span of time", { from, to }],
  ["a type", { type: "deposit" }],
  ["a type that has no events", { type: "nothing" }],
  ["a player with many events", { playerId: 1 }],
  ["a player with few events", { playerId: 999_999 }],
  ["a player with none", { playerId: 123_456 }],
  ["a type, a player and a span of time", { type: "bet", playerId: 2, from, to }],
  ["a type of which a player with many events has none", { type: "deposit", playerId: 77 }],
  ["a type that has no events, of a player with many", { type: "nothing", playerId: 1 }],
];

describe(`of ${rows} events a page reads little more than it shows`, () => {
  test.each([
    ...filters,
    ...filters.map(([what, filter]) => [`${what}, from a cursor`, { ...filter, cursor }] as const),
    ["in the middle of thousands at one time", { client: "burst", cursor: burst }] as const,
  ])("%s", async (_what, filter) => {
    const { kinds, mostRead } = await explain(db, eventsQuery({ client: "casino", limit: 100, ...filter }));
    expect(kinds).not.toContain("Seq Scan events");
    // A page of all types is merged from a page of each of four types; after a cursor, from two ranges of each.
    expect(mostRead).toBeLessThanOrEqual(101 * 4);
  });

  test("a query that no index serves would be noticed", async () => {
    const { kinds, mostRead } = await explain(db, sql`select * from events order by description limit 101`);
    expect(kinds.join()).toContain("Seq Scan events");
    expect(mostRead).toBeGreaterThan(10_000);
  });
});
