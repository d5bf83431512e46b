import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { addClients, archiveForTest } from "../archive/database.fixture.ts";
import { explain } from "../archive/explain.fixture.ts";
import { type DeliveryFilter, deliveriesQuery } from "./deliveries.ts";

// Without the services' statement timeout of ten seconds: on a busy machine inserting these rows takes longer.
const db = await archiveForTest(`${await databaseForTest()}?statement_timeout=0`);
await addClients(db, "other", "healthy");
const rows = 200_000;
const start = Date.parse("2026-11-01T00:00:00Z");
// One delivery in a hundred has failed, but none of one client and its destination.
await sql`
  insert into deliveries (destination_id, client_id, source, event_id, event_type, webhook_id, attempt, outcome, duration_ms, at)
  select 'destination0000' || g % 10, case g % 10 when 0 then 'healthy' when 1 then 'other' else 'casino' end, 'source-' || g % 3, g,
    'bet', 'evt_' || g, 1, case when g % 100 = 7 then 'failed' when g % 1000 = 8 then 'set_aside' else 'delivered' end, 5,
    to_timestamp(${start}::float8 / 1000) + g * interval '1 ms'
  from generate_series(1, ${rows}::int) g`.execute(db);
await sql`analyze deliveries`.execute(db);

const [from, to] = [start + 60_000, start + 120_000];
const filters: readonly (readonly [string, Partial<DeliveryFilter>])[] = [
  ["all", {}],
  ["a span of time", { from, to }],
  ["failed ones", { outcome: "failed" }],
  ["an outcome that none has", { outcome: "discarded" }],
  ["an event", { eventId: 4_711 }],
  ["an event of a source", { source: "source-1", eventId: 4_711 }],
  ["a source", { source: "source-1" }],
];

describe(`of ${rows} deliveries a page reads few`, () => {
  const owners: readonly (readonly [string, Partial<DeliveryFilter>])[] = [
    ["of all clients", {}],
    ["of a client", { client: "casino" }],
    ["of a client of which none failed", { client: "healthy" }],
    ["of a destination", { destination: "destination00007" }],
    ["of a client's destination of which none failed", { client: "casino", destination: "destination00003" }],
  ];
  const cases = owners.flatMap(([whose, owner]) =>
    filters.flatMap(([what, filter]) => [
      [`${what} ${whose}`, { ...owner, ...filter }] as const,
      [`${what} ${whose}, from a cursor`, { ...owner, ...filter, cursor: `${to}.120000` }] as const,
    ]),
  );

  test.each(cases)("%s", async (_what, filter) => {
    const query = deliveriesQuery({ client: undefined, withAnswers: false, limit: 100, ...filter });
    const { kinds, mostRead } = await explain(db, query);
    expect(kinds).not.toContain("Seq Scan deliveries");
    // Of the newest one in ten is a destination's, and of those one in three of a source: what lies together is read together.
    expect(mostRead).toBeLessThan(4_000);
  });

  test("a query that no index serves would be noticed", async () => {
    const { kinds } = await explain(db, sql`select * from deliveries order by webhook_id limit 101`);
    expect(kinds.join()).toContain("Seq Scan deliveries");
  });
});
