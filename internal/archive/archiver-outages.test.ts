import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { archiversForTest, events } from "./archiver.fixture.ts";
import { archiverDurable } from "./archiver.ts";

const { allSettled, db, hasRows, jsm, letters, nats, postgres, publishBets, rows, start } =
  await archiversForTest();

describe("an outage", () => {
  test("of Postgres, killed under load: holds what it has, sets nothing aside, goes on", async () => {
    // So long that only messages handed back are redelivered, even if a busy machine renews late.
    const archiver = await start(30_000);
    const publishing = publishBets(1, 10_001);
    await waitFor(async () => (await rows()).rows > 0);
    await postgres.kill();
    await publishing;
    await waitFor(() => archiver.problem);
    // It holds no more than its capacity, and has handed nothing back.
    const { num_ack_pending, num_redelivered } = await jsm.consumers.info(events, archiverDurable.name);
    expect(num_ack_pending).toBeLessThan(10_000);
    expect(num_redelivered).toBe(0);
    await postgres.start();
    await hasRows(10_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 10_000, ids: 10_000 });
    await waitFor(() => archiver.problem === undefined);
    expect(await letters()).toEqual([]);
  });

  test("of Postgres, over a stop: what it held is handed back, the next one archives it", async () => {
    await postgres.kill();
    onTestFinished(() => postgres.start());
    const archiver = await start();
    await publishBets(1, 101);
    await waitFor(() => archiver.problem);
    await archiver.stop();
    await postgres.start();
    await start();
    await hasRows(100);
    expect(await letters()).toEqual([]);
  });

  test("of tables that are not there yet: waits for them", async () => {
    await sql`alter table events rename to elsewhere`.execute(db);
    const archiver = await start();
    await publishBets(1, 11);
    await waitFor(() => archiver.problem);
    await sql`alter table elsewhere rename to events`.execute(db);
    await hasRows(10);
    expect(await letters()).toEqual([]);
  });

  test("of NATS, killed under load: every event is a row, once", async () => {
    await start();
    const publishing = publishBets(1, 10_001);
    await waitFor(async () => (await rows()).rows > 0);
    await nats.kill();
    await nats.start();
    await publishing;
    await hasRows(10_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 10_000, ids: 10_000 });
    expect(await letters()).toEqual([]);
  });
});

describe("several archivers", () => {
  test("share the work, also on the same keys, without locking each other out", async () => {
    await Promise.all([start(), start(), start()]);
    await Promise.all([publishBets(1, 3_001), publishBets(1, 3_001), publishBets(1, 3_001)]);
    await allSettled();
    expect(await rows()).toEqual({ rows: 3_000, ids: 3_000 });
    expect(await letters()).toEqual([]);
  });

  test("one that is gone with its batch leaves nothing out", async () => {
    // Redelivers everything, as after a crash between commit and ack.
    await start();
    await publishBets(1, 1_001);
    await hasRows(1_000);
    await jsm.consumers.delete(events, archiverDurable.name);
    await publishBets(1_001, 2_001);
    await hasRows(2_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 2_000, ids: 2_000 });
  });
});
