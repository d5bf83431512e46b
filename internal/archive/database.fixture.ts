import { afterAll } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import type { CasinoEvent, CustomEvent } from "../casino/event.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { EventsTable, insertOf } from "./insert.ts";
import type { EventRow } from "./row.ts";

/** A migrated database of its own; the connections are closed after the file's last test. */
export async function archiveForTest(url?: string): Promise<Database> {
  const db = connectPostgres(url ?? (await databaseForTest()), "test", silent);
  afterAll(() => db.destroy());
  await migrateWithSamples(db);
  return db;
}

export async function addClients(db: Database, ...ids: readonly string[]): Promise<void> {
  await db
    .insertInto("clients")
    .values(ids.map((id) => ({ id, name: id })))
    .execute();
}

export async function addTypes(db: Database, ...names: readonly string[]): Promise<void> {
  await db
    .insertInto("event_types")
    .values(names.map((name) => ({ name })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** A complete final event, as the pipeline makes it. */
export function finalBet(id: number, more: Partial<CasinoEvent> = {}): CasinoEvent {
  return {
    id,
    player_id: 10,
    game_id: 100,
    type: "bet",
    amount: 300,
    currency: "USD",
    has_won: false,
    created_at: "2022-01-10T12:34:56.789Z",
    amount_eur: 281,
    description: `Bet #${id}.`,
    ...more,
  } as CasinoEvent; // a bet unless `more` says otherwise
}

/** Archives events as rows of one client and source, without a broker. */
export async function archive(
  db: Database,
  events: readonly CasinoEvent[],
  more: Partial<EventRow> = {},
): Promise<number> {
  const rows = events.map((event) => ({
    client: "casino",
    source: "test",
    event,
    storedAt: Date.now(),
    ...more,
  }));
  return new EventsTable(db).add(insertOf(rows), new AbortController().signal);
}

/** Custom events of 900 KB each, which Postgres compresses to a hundredth. */
export const largeEvents = (count: number): CustomEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    type: "blob",
    created_at: "2022-01-01T00:00:00.000Z",
    data: { text: "large ".repeat(150_000) },
    description: "d",
  }));
