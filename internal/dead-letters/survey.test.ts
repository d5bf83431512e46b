import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { brokerForTest, defaultLimits } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { Unavailable } from "../service/unavailable.ts";
import { forEachLetter } from "./bulk.ts";
import { setAside } from "./letters.fixture.ts";
import { LetterStore } from "./store.ts";
import { newestLetters, survey } from "./survey.ts";

const { nc, jsm } = await brokerForTest();
const publisher = new Publisher(nc);
const store = new LetterStore(nc);

beforeEach(() => ensureStreams(nc, [], defaultLimits));
afterEach(() => jsm.streams.delete("CASINO_DEAD").catch(() => false));

const seqs = (letters: readonly { seq: number }[]) => letters.map(({ seq }) => seq);
const consumers = async () => (await jsm.streams.info("CASINO_DEAD")).state.consumer_count;

/** Letters 1 to `count`: every tenth of client acme, every hundredth of step player and invalid. */
async function many(count: number, payload = "{}"): Promise<void> {
  const sending: Promise<number>[] = [];
  for (let seq = 1; seq <= count; seq++) {
    sending.push(
      setAside(publisher, {
        payload,
        client: seq % 10 === 0 ? "acme" : "casino",
        ...(seq % 100 === 0 ? { step: "player", reason: "invalid_event" as const } : {}),
      }),
    );
  }
  await Promise.all(sending);
}

describe("the letters", () => {
  test("are counted by reason, step and client, and the newest come first", async () => {
    await many(200);
    const { total, groups, newest } = await survey(store, {}, { limit: 3 });
    expect(total).toBe(200);
    expect(groups).toEqual([
      { reason: "unknown_type", step: "currency", client: "casino", count: 180 },
      { reason: "unknown_type", step: "currency", client: "acme", count: 18 },
      { reason: "invalid_event", step: "player", client: "acme", count: 2 },
    ]);
    expect(seqs(newest)).toEqual([200, 199, 198]);
    expect(newest[0]).toMatchObject({
      step: "player",
      client: "acme",
      reason: "invalid_event",
      error: "/type must be known",
      failedOn: "casino.event.raw.acme",
      deliveries: 1,
      replays: 0,
      bytes: 2,
    });
  });

  test("are narrowed down by reason, step and client together", async () => {
    await many(200);
    const found = async (filter: object) => (await survey(store, filter, { limit: 1 })).total;
    expect(await found({ reason: "invalid_event" })).toBe(2);
    expect(await found({ step: "player" })).toBe(2);
    expect(await found({ client: "acme" })).toBe(20);
    expect(await found({ client: "acme", step: "currency" })).toBe(18);
    expect(await found({ client: "acme", step: "player", reason: "unknown_type" })).toBe(0);
    expect(await found({ client: "nobody" })).toBe(0);
  });

  test("come in pages that leave nothing out, also when some are removed in between", async () => {
    await many(3_000);
    const all: number[] = [];
    let before: number | undefined;
    do {
      const page = await newestLetters(store, { client: "acme" }, { limit: 70, before });
      all.push(...seqs(page.letters));
      before = page.before;
      if (before !== undefined) await store.remove({ seq: before, parts: [] });
    } while (before !== undefined);
    expect(all).toEqual(Array.from({ length: 300 }, (_, index) => 3_000 - 10 * index));
    expect(await newestLetters(store, {}, { limit: 5, before: 1 })).toEqual({
      letters: [],
      before: undefined,
    });
  });

  test("there may be none, or no stream yet", async () => {
    expect(await survey(store, {}, { limit: 3 })).toEqual({ total: 0, groups: [], newest: [] });
    expect(await newestLetters(store, {}, { limit: 3 })).toEqual({ letters: [], before: undefined });
    expect(await store.read(1)).toBeUndefined();
    expect(await store.remove({ seq: 1, parts: [] })).toBe(false);
    await many(3);
    expect(await store.remove({ seq: 2, parts: [] })).toBe(true);
    expect(await store.remove({ seq: 2, parts: [] })).toBe(false);
    expect(await store.read(2)).toBeUndefined();
    await jsm.streams.delete("CASINO_DEAD");
    await expect(survey(store, {}, { limit: 3 })).rejects.toThrow(
      "The stream CASINO_DEAD does not exist yet",
    );
  });

  test("what is no letter but lies there does no harm", async () => {
    for (const subject of ["casino.dead.odd", "casino.dead.currency.casino", "casino.dead.a.b.c"])
      await nc.request(subject, "text");
    const { total, newest } = await survey(store, {}, { limit: 3 });
    expect(total).toBe(3);
    expect(newest.map(({ reason, client }) => [reason, client])).toEqual([
      ["", ""],
      ["", "casino"],
      ["", ""],
    ]);
  });

  test("are 10,000 of 20 KB and listed in bounded memory, without their payloads, leaving nothing behind", async () => {
    await many(10_000, "x".repeat(20_000));
    const before = nc.stats().inBytes;
    let most = 0;
    const baseline = process.memoryUsage().rss;
    const sampler = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - baseline);
    }, 5);
    const { total, newest } = await survey(store, {}, { limit: 20 });
    clearInterval(sampler);
    expect(total).toBe(10_000);
    expect(seqs(newest)).toEqual(Array.from({ length: 20 }, (_, index) => 10_000 - index));
    // 200 MB lie there.
    expect(Number(nc.stats().inBytes) - Number(before)).toBeLessThan(10_000 * 600);
    expect(most).toBeLessThan(100 * 2 ** 20);
    await waitFor(async () => (await consumers()) === 0);
    // The newest page reads only the end.
    const soFar = Number(nc.stats().inBytes);
    await newestLetters(store, {}, { limit: 10 });
    expect(Number(nc.stats().inBytes) - soFar).toBeLessThan(1_500 * 600);
  });

  test("are worked on a few at a time, up to a limit, and a failure ends it", async () => {
    await many(1_200);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await nc.flush();
      running--;
    };
    expect(await forEachLetter(store, {}, work)).toEqual({ begun: 1_200, more: false, last: 1_200 });
    expect(most).toBe(16);
    expect(await forEachLetter(store, {}, work, { limit: 50 })).toEqual({ begun: 50, more: true, last: 50 });
    expect(await forEachLetter(store, {}, work, { limit: 50, after: 1_180 })).toEqual({
      begun: 20,
      more: false,
      last: 1_200,
    });
    expect(await forEachLetter(store, {}, work, { after: 1_200 })).toMatchObject({ begun: 0, more: false });
    expect(await forEachLetter(store, {}, work, { limit: 1_200 })).toMatchObject({
      begun: 1_200,
      more: false,
    });
    expect(await forEachLetter(store, {}, work, { signal: AbortSignal.abort() })).toEqual({
      begun: 0,
      more: true,
      last: undefined,
    });
    let seen = 0;
    const failing = forEachLetter(store, {}, async () => {
      if (++seen === 10) throw new Unavailable("away");
    });
    await expect(failing).rejects.toThrow("away");
    expect(seen).toBeLessThan(40);
    await waitFor(async () => (await consumers()) === 0);
  });
});
