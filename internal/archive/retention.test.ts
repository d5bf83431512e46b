import { sql } from "kysely";
import { pino } from "pino";
import { beforeEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { archive, archiveForTest, finalBet } from "./database.fixture.ts";
import { deleteBatch, deleteOlderThan, keepFor } from "./retention.ts";

const db = await archiveForTest();
const hour = 3_600_000;
const { signal } = new AbortController();

beforeEach(async () => {
  await sql`truncate events`.execute(db);
});

const bets = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => finalBet(from + i));
const archiveAged = (from: number, to: number, ageMs: number) =>
  archive(db, bets(from, to), { storedAt: Date.now() - ageMs });

async function ids(): Promise<readonly number[]> {
  const rows = await db.selectFrom("events").select("id").orderBy("id").execute();
  return rows.map(({ id }) => Number(id));
}

describe("one batch", () => {
  test("deletes the oldest that are old enough, and no more than asked for", async () => {
    await archiveAged(1, 4, 3 * hour);
    await archiveAged(4, 7, 2 * hour);
    await archiveAged(7, 10, hour / 2);
    expect(await deleteOlderThan(db, hour, 3, signal)).toBe(3);
    expect(await ids()).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await deleteOlderThan(db, hour, 100, signal)).toBe(3);
    expect(await deleteOlderThan(db, hour, 100, signal)).toBe(0);
    expect(await ids()).toEqual([7, 8, 9]);
  });

  test("goes by when an event was stored, not by when its producer says it happened", async () => {
    await archive(db, [finalBet(1, { created_at: "0000-01-01T00:00:00.000Z" })]);
    await archiveAged(2, 3, 2 * hour);
    await archive(db, [finalBet(3, { created_at: "9999-01-01T00:00:00.000Z" })], {
      storedAt: Date.now() - 2 * hour,
    });
    expect(await deleteOlderThan(db, hour, 100, signal)).toBe(2);
    expect(await ids()).toEqual([1]);
  });

  test("the longest retention that can be set is further back than any event", async () => {
    await archiveAged(1, 2, 2 * hour);
    expect(await deleteOlderThan(db, 36_500 * 24 * hour, 100, signal)).toBe(0);
  });

  test("is left to the archiver that is at it; inserts go on meanwhile", async () => {
    await archiveAged(1, 11, 2 * hour);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    // The first archiver is in the middle of its batch: it holds the lock and has deleted rows, but not committed.
    const first = db.transaction().execute(async (trx) => {
      await deleteBatch(trx, hour, 5, signal);
      reached.resolve();
      await goOn.promise;
    });
    await reached.promise;
    expect(await deleteOlderThan(db, hour, 100, signal)).toBeUndefined();
    expect(await archive(db, bets(100, 200))).toBe(100);
    goOn.resolve();
    await first;
    expect(await ids()).toHaveLength(105);
    expect(await deleteOlderThan(db, hour, 100, signal)).toBe(5);
  });
});

test("keeps deleting in batches until it is stopped, also what becomes old meanwhile", async () => {
  const stop = new AbortController();
  await archiveAged(1, 3_501, 2 * hour);
  await archiveAged(3_501, 3_511, 0);
  const running = keepFor(db, { retentionMs: hour, log: silent, signal: stop.signal });
  await waitFor(async () => (await ids()).length === 10);
  stop.abort();
  await running;
  expect(await ids()).toEqual(bets(3_501, 3_511).map(({ id }) => id));

  const again = new AbortController();
  const shortly = keepFor(db, { retentionMs: 1_000, log: silent, signal: again.signal });
  await waitFor(async () => (await ids()).length === 0);
  again.abort();
  await shortly;
});

test("an outage ends nothing: it deletes when Postgres is back", async () => {
  const stop = new AbortController();
  await archiveAged(1, 11, 2 * hour);
  await sql`alter table events rename to elsewhere`.execute(db);
  const said: string[] = [];
  const log = pino({}, { write: (line: string) => void said.push(line) });
  const running = keepFor(db, { retentionMs: 1_000, log, signal: stop.signal });
  await waitFor(() => said.some((line) => line.includes("cannot be deleted now")));
  await sql`alter table elsewhere rename to events`.execute(db);
  await waitFor(async () => (await ids()).length === 0);
  stop.abort();
  await running;
});
