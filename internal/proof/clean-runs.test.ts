import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { startCommand } from "../../test/harness/command.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { addClients } from "../archive/database.fixture.ts";
import { forEachLetter } from "../dead-letters/bulk.ts";
import type { LetterFilter } from "../dead-letters/filter.ts";
import { discard } from "../dead-letters/removal.ts";
import { replay } from "../dead-letters/replay.ts";
import { erasePlayer } from "../erasure/erase.ts";
import type { CheckName } from "./check.ts";
import type { Proof } from "./proof.ts";
import { unknownToPlayer } from "./steps.fixture.ts";
import { dead, events, queues, systemForTest, troubles } from "./system.fixture.ts";

const {
  db,
  desk,
  jsm,
  nats,
  nc,
  proof,
  publishRaw,
  send,
  sendTogether,
  settled,
  startAll,
  startArchiver,
  startMaterializer,
  startReaders,
  startSteps,
  stopAll,
  store,
  stored,
} = await systemForTest();

async function replayAll(filter: LetterFilter = {}): Promise<void> {
  await forEachLetter(store, filter, async ({ seq }) => {
    const letter = await store.read(seq);
    if (letter !== undefined) await replay(letter, desk);
  });
}

const sentenceOf = ({ checks }: Proof, name: CheckName) =>
  checks.find((check) => check.name === name)?.sentence;

describe("nothing is wrong", () => {
  test("with events, and with letters", async () => {
    await send(1, 300);
    await send(1, 100, { client: "other" });
    await send(301, 310, { currency: "XYZ" });
    await settled();
    const found = await proof({ waitMs: 10_000 });
    expect(troubles(found)).toEqual({});
    expect(found).toMatchObject({
      holds: true,
      accepted: { accepted: 410, final: 400, dead: 10, lost: 0 },
      finals: { messages: 400, replayed: 0 },
      clients: [
        { client: "casino", final: 300, archived: 300, waiting: 0, refused: 0, missing: 0, sentTwice: 0 },
        { client: "other", final: 100, archived: 100, waiting: 0, refused: 0, missing: 0, sentTwice: 0 },
      ],
    });
  });

  test("with copies that a stream dropped, and copies that came too late for that", async () => {
    await send(1, 50);
    await send(21, 40);
    await settled();
    expect((await proof()).accepted).toMatchObject({ accepted: 70, final: 50, copy: 20 });
    for (const stream of [...queues, events])
      await jsm.streams.update(stream, { duplicate_window: 100_000_000 });
    await waitFor(async () => {
      await send(1, 1);
      await settled();
      return (await stored(events)) > 50;
    });
    const found = await proof({ waitMs: 10_000 });
    expect(troubles(found)).toEqual({});
    expect(found.clients).toMatchObject([{ client: "casino", final: 50, archived: 50, sentTwice: 1 }]);
  });

  test("with letters of every step sent again, and discarded", async () => {
    unknownToPlayer.add("casino");
    await send(1, 10);
    await send(11, 20, { currency: "XYZ" });
    await send(1, 10, { client: "unregistered" });
    await waitFor(async () => (await stored(dead)) === 30);
    expect(troubles(await proof({ waitMs: 10_000 }))).toEqual({});
    unknownToPlayer.clear();
    await addClients(db, "unregistered");
    await replayAll({ step: "player" });
    await replayAll({ step: "archiver" });
    await replayAll({ step: "currency" });
    await waitFor(async () => (await stored(dead)) === 40);
    for await (const head of store.scan({}, await store.range()))
      expect(await discard(head, desk)).toBe(true);
    const found = await proof({ waitMs: 10_000 });
    expect(troubles(found)).toEqual({});
    expect(found).toMatchObject({
      accepted: { accepted: 40, final: 20, sentAgain: 10, discarded: 10, dead: 0 },
      finals: { messages: 30, replayed: 10 },
    });
  });

  test("with letters of a person who was erased, written anew or removed, and sent again", async () => {
    unknownToPlayer.add("casino");
    await send(1, 3);
    await publishRaw(`{"mail":"john@example.com"`, {});
    await publishRaw(JSON.stringify({ mail: "john@example.com" }), {});
    await waitFor(async () => (await stored(dead)) === 5);
    await sql`
      insert into players (client_id, id, email) values ('casino', 10, 'john@example.com')
      on conflict (client_id, id) do update set email = excluded.email`.execute(db);
    const { signal } = new AbortController();
    const { done } = await erasePlayer("casino", 10, { ...desk, nc, db, signal });
    expect(done).toMatchObject({ dead_letters_rewritten: 1, dead_letters_removed: 1 });
    expect(troubles(await proof({ waitMs: 10_000 }))).toEqual({});
    unknownToPlayer.clear();
    await replayAll();
    const found = await proof({ waitMs: 10_000 });
    expect(troubles(found)).toEqual({});
    expect(found.accepted).toMatchObject({ accepted: 6, final: 3, dead: 1, sentAgain: 1, erased: 1 });
  });

  test("after the log let go its oldest events", async () => {
    await send(1, 40);
    await settled();
    const { bytes } = (await jsm.streams.info(events)).state;
    await jsm.streams.update(events, { max_bytes: Math.ceil(bytes * 0.75) });
    await send(41, 50);
    await settled();
    const { first_seq } = (await jsm.streams.info(events)).state;
    expect(first_seq).toBeGreaterThan(10);
    const found = await proof({ waitMs: 10_000 });
    expect(found).toMatchObject({ holds: true, unchecked: ["older"] });
    expect(sentenceOf(found, "older")).toContain(`Of ${first_seq - 1} of the events accepted before `);
    expect(found.accepted.older).toBe(first_seq - 1);
    expect(found.accepted.older + found.accepted.final).toBe(50);
    // A materializer that begins only now knows less than Postgres.
    await stopAll();
    await startAll();
    const restarted = await proof({ waitMs: 10_000 });
    expect(restarted).toMatchObject({ holds: true, unchecked: ["older"] });
    expect(sentenceOf(restarted, "materialized")).toMatch(/, of what was stored since 20\S+Z\.$/);
    await jsm.streams.purge(events, { filter: "casino.event.final.casino.deposit" });
    expect((await proof()).holds).toBe(false);
  });

  test("with materializers that began at different times, as far as they can be compared", async () => {
    await send(1, 20);
    await settled();
    await stopAll();
    await startSteps();
    await startArchiver();
    await startMaterializer("off");
    expect(troubles(await proof())).toMatchObject({ materialized: { verdict: "unchecked" } });
    await send(21, 30);
    await settled();
    const late = await proof({ waitMs: 10_000 });
    expect(troubles(late)).toEqual({});
    expect(sentenceOf(late, "materialized")).toMatch(/, of what was stored since 20\S+Z\.$/);
    await startMaterializer("on");
    const both = troubles(await proof({ waitMs: 10_000 }));
    expect(both.materialized?.sentence).toMatch(
      /^The materializers began at different times, .* restart those that began later, with MATERIALIZER_REPLAY=on\.$/,
    );
  });

  test("with only the last of it looked at", async () => {
    await send(1, 20);
    await settled();
    const [began, first] = [Date.now(), await proof({ sinceMs: 60_000 })];
    expect(first).toMatchObject({ holds: true, accepted: { older: 0, final: 20 } });
    // Nobody asked for what was before, nor for the figures of all.
    expect(first.checks.map(({ name }) => name)).not.toEqual(expect.arrayContaining(["older"]));
    expect(first.unchecked).toEqual([]);
    await waitFor(() => Date.now() > began + 50);
    await send(21, 30);
    await settled();
    await jsm.streams.deleteMessage(events, 7);
    const last = await proof({ sinceMs: Date.now() - began });
    expect(last.holds).toBe(true);
    expect(last.accepted).toMatchObject({ older: 20, final: 10 });
  });

  test("after the broker was killed in the middle, and everything restarted", async () => {
    const sending = send(1, 3_000);
    await waitFor(async () => (await stored(events)) > 300);
    await nats.kill();
    await nats.start();
    await sending;
    await stopAll();
    await startAll();
    await settled();
    await send(1, 3_000);
    await settled();
    const found = await proof({ waitMs: 30_000 });
    expect(troubles(found)).toEqual({});
    expect(found.clients).toMatchObject([{ final: 3_000, archived: 3_000 }]);
  });

  test("after the process of the steps was killed in the middle of its work, again and again", async () => {
    await stopAll();
    await startReaders();
    const file = "internal/proof/steps-process.fixture.ts";
    const sending = Promise.all([
      send(1, 1_500),
      ...Array.from({ length: 10 }, (_, index) => sendTogether(1_501 + index * 100, 1_600 + index * 100)),
    ]);
    for (let deaths = 1; deaths <= 2; deaths++) {
      const steps = startCommand(file, { env: { NATS_URL: nats.url } });
      await waitFor(async () => (await stored(events)) >= deaths * 500);
      steps.child.kill("SIGKILL");
      await steps.ended;
      expect((await proof()).holds).toBe(true);
    }
    await sending;
    await startSteps();
    await settled();
    const found = await proof({ waitMs: 30_000 });
    expect(troubles(found)).toEqual({});
    expect(found).toMatchObject({
      accepted: { messages: 1_510, accepted: 2_500, final: 2_500 },
      finals: { messages: 2_500 },
    });
  });

  test("while events flow, however often one looks", async () => {
    const sending = send(1, 3_000);
    for (let looks = 0; looks < 3; looks++) {
      const found = await proof();
      expect(found.checks.filter(({ verdict }) => verdict === "violated")).toEqual([]);
    }
    await sending;
    await settled();
    expect(troubles(await proof({ waitMs: 30_000 }))).toEqual({});
  });
});
