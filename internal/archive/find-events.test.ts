import fc from "fast-check";
import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { encodeEvent } from "../casino/encode.ts";
import { anyEvent } from "../casino/event.arbitrary.ts";
import { type CasinoEvent, isMoney } from "../casino/event.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { CursorError } from "./cursor.ts";
import { addClients, addTypes, archive, archiveForTest, finalBet, largeEvents } from "./database.fixture.ts";
import { type ArchivedEvent, type EventFilter, findEvents } from "./find-events.ts";

const url = await databaseForTest();
const db = await archiveForTest(url);
await addClients(db, "other");

beforeEach(async () => {
  await sql`truncate events`.execute(db);
});

const idsOf = (events: readonly ArchivedEvent[]) => events.map((event) => event.id);

/** The ids on one page of client `casino`. */
async function ids(filter: Partial<EventFilter> = {}): Promise<readonly number[]> {
  return idsOf((await findEvents(db, { client: "casino", limit: 100, ...filter })).events);
}

/** All pages in order; `between` runs before each page but the first. */
async function pages(filter: Partial<EventFilter>, between: () => Promise<unknown> = async () => undefined) {
  const all: ArchivedEvent[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await findEvents(db, {
      client: "casino",
      limit: 10,
      ...filter,
      cursor: cursor ?? undefined,
    });
    expect(page.events.length).toBeLessThanOrEqual(filter.limit ?? 10);
    all.push(...page.events);
    cursor = page.next_cursor;
    if (cursor !== null) await between();
  }
  return all;
}

const second = (n: number) => new Date(Date.UTC(2022, 0, 1, 0, 0, n)).toISOString();

describe("an event comes back to the letter", () => {
  /** The listed form of one event, once it is archived. */
  async function listed(event: CasinoEvent): Promise<string> {
    await addTypes(db, event.type);
    await archive(db, [event]);
    const { events } = await findEvents(db, { client: "casino", limit: 10 });
    expect(events).toHaveLength(1);
    return JSON.stringify(events[0]);
  }
  const expected = (event: CasinoEvent) =>
    `${Buffer.from(encodeEvent(event)).toString().slice(0, -1)},"client_id":"casino","source":"test"}`;

  test("of any type, with any text, time and amount", async () => {
    const anyFinal = anyEvent.map((event) => ({
      ...event,
      description: event.description ?? "",
      ...(isMoney(event) ? { amount_eur: event.amount_eur ?? 0 } : {}),
    }));
    await fc.assert(
      fc.asyncProperty(anyFinal, async (event) => {
        expect(await listed(event)).toBe(expected(event));
        await sql`truncate events`.execute(db);
      }),
      { numRuns: 200 },
    );
  });

  const most = Number.MAX_SAFE_INTEGER;
  const custom = { id: 1, type: "login", description: "d" };
  test.each([
    ["the first instant", finalBet(1, { created_at: "0000-01-01T00:00:00.000Z" })],
    ["the last instant", finalBet(1, { created_at: "9999-12-31T23:59:59.999Z" })],
    ["just before 1970", finalBet(1, { created_at: "1969-12-31T23:59:59.999Z" })],
    ["a leap day of the year 0000", finalBet(1, { created_at: "0000-02-29T12:00:00.001Z" })],
    [
      "the greatest amounts",
      finalBet(most, { player_id: most, game_id: most, amount: most, amount_eur: most }),
    ],
    ["bitcoin", finalBet(1, { currency: "BTC", amount: 12_345, amount_eur: 467 })],
    ["a player who never signed in", finalBet(1, { player: { email: "a@b.c", last_signed_in_at: null } })],
    ["a player", finalBet(1, { player: { email: "a@b.c", last_signed_in_at: "9999-12-31T23:59:59.999Z" } })],
    ["zero", finalBet(1, { amount: 0, amount_eur: 0 })],
    [
      "data with keys in no order",
      { ...custom, created_at: second(1), data: { z: 1, aa: [1e300, 5e-324], b: {} } },
    ],
    ["data that looks like SQL", { ...custom, created_at: second(1), data: { 'a"b\\': "{NULL,\"'$1;--" } }],
    ["no data", { ...custom, created_at: second(1), data: {} }],
    ["a text NULL", finalBet(1, { description: "NULL" })],
  ])("%s", async (_what, event) => {
    expect(await listed(event)).toBe(expected(event));
  });
});

describe("the order", () => {
  test("is by created_at descending, then source, then id", async () => {
    await archive(db, [finalBet(3), finalBet(20), finalBet(100)], { source: "b" });
    await archive(db, [finalBet(4)], { source: "B" });
    await archive(db, [finalBet(5), finalBet(1, { created_at: second(1) })], { source: "a" });
    await archive(db, [finalBet(2, { created_at: "2023-01-01T00:00:00.000Z" })], { source: "z" });
    expect(await ids()).toEqual([2, 4, 5, 3, 20, 100, 1]);
    expect(idsOf(await pages({ limit: 1 }))).toEqual([2, 4, 5, 3, 20, 100, 1]);
    expect(idsOf(await pages({ limit: 2 }))).toEqual([2, 4, 5, 3, 20, 100, 1]);
  });

  test("holds over pages of any size, with many events at one time", async () => {
    const events = Array.from({ length: 300 }, (_, i) => finalBet(i + 1, { created_at: second(i % 7) }));
    await archive(db, events.slice(0, 150), { source: "one" });
    await archive(db, events.slice(150), { source: "two" });
    const whole = await ids({ limit: 1_000 });
    expect(whole).toHaveLength(300);
    for (const limit of [1, 7, 42, 43, 299, 300]) expect(idsOf(await pages({ limit }))).toEqual(whole);
  });

  test("the last page has no cursor, also when it is full", async () => {
    await archive(db, [finalBet(1), finalBet(2)]);
    const page = await findEvents(db, { client: "casino", limit: 2 });
    expect(page).toMatchObject({ events: [{ id: 1 }, { id: 2 }], next_cursor: null });
    expect(await findEvents(db, { client: "other", limit: 2 })).toEqual({ events: [], next_cursor: null });
  });

  test("pages show what was there at the start, each event once, whatever is inserted between them", async () => {
    const old = Array.from({ length: 100 }, (_, i) => finalBet(i + 1, { created_at: second(i * 2) }));
    await archive(db, old);
    let next = 1_000;
    const insertEverywhere = async () => {
      for (const seconds of [0, 51, 100, 151, 500])
        await archive(db, [finalBet(next++, { created_at: second(seconds) })], { source: "later" });
    };
    const seen = await pages({ limit: 10 }, insertEverywhere);
    const key = ({ id, source }: ArchivedEvent) => `${source}:${id}`;
    expect(new Set(seen.map(key)).size).toBe(seen.length);
    expect(idsOf(seen.filter((event) => event.source === "test"))).toEqual(old.map(({ id }) => id).reverse());
    // New events on later pages are listed too.
    expect(seen.length).toBeGreaterThan(old.length);
  });
});

describe("the filter", () => {
  test("shows one client only", async () => {
    await archive(db, [finalBet(1)]);
    await archive(db, [finalBet(2)], { client: "other" });
    expect(await ids()).toEqual([1]);
    expect(await ids({ client: "other" })).toEqual([2]);
    expect(await ids({ client: "nobody" })).toEqual([]);
  });

  test("takes type and player, each and together, also over pages", async () => {
    const deposit = (id: number, player_id: number): CasinoEvent => ({
      ...{ id, player_id, type: "deposit" as const, amount: 1, currency: "EUR", created_at: second(id) },
      ...{ amount_eur: 1, description: "d" },
    });
    await archive(db, [
      finalBet(1),
      finalBet(2, { player_id: 11 }),
      deposit(3, 10),
      deposit(4, 11),
      deposit(5, 11),
    ]);
    expect(await ids({ type: "deposit" })).toEqual([5, 4, 3]);
    expect(await ids({ playerId: 10 })).toEqual([1, 3]);
    expect(await ids({ type: "deposit", playerId: 11 })).toEqual([5, 4]);
    expect(await ids({ type: "game_stop" })).toEqual([]);
    expect(idsOf(await pages({ limit: 1, type: "deposit" }))).toEqual([5, 4, 3]);
    expect(idsOf(await pages({ limit: 1, type: "deposit", playerId: 11 }))).toEqual([5, 4]);
    // Merged from a page of each type: in one order, each event once.
    await archive(db, [
      finalBet(6, { player_id: 11, created_at: second(4) }),
      finalBet(7, { player_id: 11, type: "game_start", created_at: second(4) }),
      finalBet(8, { player_id: 11, type: "game_stop", created_at: second(2) }),
    ]);
    const ofPlayer = [2, 5, 4, 6, 7, 8];
    expect(await ids({ playerId: 11 })).toEqual(ofPlayer);
    for (const limit of [1, 2, 5, 6]) expect(idsOf(await pages({ limit, playerId: 11 }))).toEqual(ofPlayer);
    expect(await ids({ playerId: 11, from: second(3), to: second(5) })).toEqual([4, 6, 7]);
  });

  test("from is inclusive, to is exclusive, to the millisecond and over all years", async () => {
    const times = [
      "0000-01-01T00:00:00.000Z",
      "2022-01-01T00:00:00.000Z",
      "2022-01-01T00:00:00.001Z",
      "9999-12-31T23:59:59.999Z",
    ];
    await archive(
      db,
      times.map((created_at, i) => finalBet(i + 1, { created_at })),
    );
    expect(await ids({ from: times[1] })).toEqual([4, 3, 2]);
    expect(await ids({ from: times[2] })).toEqual([4, 3]);
    expect(await ids({ to: times[2] })).toEqual([2, 1]);
    expect(await ids({ from: times[0], to: times[3] })).toEqual([3, 2, 1]);
    expect(await ids({ from: times[3] })).toEqual([4]);
    expect(await ids({ from: times[2], to: times[1] })).toEqual([]);
    expect(idsOf(await pages({ limit: 1, from: times[1], to: times[3] }))).toEqual([3, 2]);
  });
});

describe("what goes wrong is told apart", () => {
  test("a malformed cursor", async () => {
    await expect(findEvents(db, { client: "casino", limit: 1, cursor: "x" })).rejects.toThrow(CursorError);
  });

  test("a Postgres that is away", async () => {
    const nobody = connectPostgres("postgres://casino@127.0.0.1:1/casino", "test", silent);
    const failure = await findEvents(nobody, { client: "casino", limit: 1 }).catch((err: unknown) => err);
    expect(isUnavailable(failure)).toBe(true);
    await nobody.destroy();
  });

  test("a table that somebody holds locked, whichever time is over first", async () => {
    const failures: unknown[] = [];
    const ask = async (from: Database, signal?: AbortSignal) => {
      failures.push(
        await findEvents(from, { client: "casino", limit: 1 }, signal).catch((err: unknown) => err),
      );
    };
    await using statement = connectPostgres(`${url}?statement_timeout=200`, "test", silent);
    await using lock = connectPostgres(`${url}?lock_timeout=200`, "test", silent);
    await db.transaction().execute(async (trx) => {
      await sql`lock table events in access exclusive mode`.execute(trx);
      await Promise.all([ask(statement), ask(lock), ask(statement, AbortSignal.timeout(50))]);
    });
    expect(failures.map(isUnavailable)).toEqual([true, true, true]);
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(findEvents(db, { client: "casino", limit: 1 }, stopped)).rejects.toThrow("stopped");
  });
});

test("a page of large events ends early, and the next one goes on", async () => {
  await addTypes(db, "blob");
  await archive(db, largeEvents(20));
  const lengths: number[] = [];
  const found = await findEvents(db, { client: "casino", limit: 1_000 });
  expect(found.events).toHaveLength(8);
  const all = await pages({ limit: 1_000 }, async () => void lengths.push(1));
  expect(idsOf(all).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(lengths).toHaveLength(2);
  const [one] = (await findEvents(db, { client: "casino", limit: 1 })).events;
  expect(one?.data).toEqual(largeEvents(1)[0]?.data);
});
