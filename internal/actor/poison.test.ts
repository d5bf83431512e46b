import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { ids, raw, Scene, workersForTest } from "./poison-scene.fixture.ts";

const startWorker = workersForTest();

/** By what it does to its worker. */
const poison = { killing: 9001, looping: 9002, hanging: 9003, hungry: 9004 };
/** One that takes its time, and one that blocks its worker where no inspector gets in. */
const slow = 9005;
const native = 9006;

/** What sets a message aside, and what it says. */
const verdict = /^3 workers in a row ended while the step test had this message alone in hand\.$/;
/** A bound, and no wait: on a busy machine a worker may take seconds to start. */
const patience = { timeout: 150_000 };

test.concurrent("an event that ends its worker is set aside alone, also when it came in a message with others", {
  timeout: 180_000,
}, async ({ expect }) => {
  await using scene = await Scene.make();
  await scene.sendTogether([...ids(1, 300), poison.killing, ...ids(400, 300)]);
  const worker = startWorker(scene.url);
  await waitFor(async () => (await scene.count("CASINO_DEAD")) === 1, patience);
  await waitFor(
    async () => (await scene.count("CASINO_RAW")) + (await scene.count("CASINO_APART")) === 0,
    patience,
  );
  expect(await worker.stop()).toBe("exit code 0");
  const [letter] = await scene.stored("CASINO_DEAD");
  expect(letter?.text).toBe(raw(poison.killing));
  expect(letter?.header("Casino-Dead-Error")).toMatch(verdict);
  expect(letter?.header("Casino-Accepted")).toMatch(/^1\.301\/601 /);
  // Copies that were made by a death are dropped where the log begins.
  expect([...new Set(await scene.forwarded())]).toEqual([...ids(1, 300), ...ids(400, 300)]);
  // Twice with others, and with those that left the message with it; then three times alone.
  expect(worker.ends.length).toBeLessThanOrEqual(6);
});

describe.concurrent("a message that ends its worker is set aside", { timeout: 180_000 }, () => {
  test("by kill or for want of memory, and none of its batch-mates is", async ({ expect }) => {
    await using scene = await Scene.make();
    await scene.send([...ids(1, 100), poison.killing, poison.hungry, ...ids(200, 200)]);
    const worker = startWorker(scene.url, ["--blocked=60000", "--timeout=60000"]);
    await waitFor(async () => (await scene.count("CASINO_RAW")) === 0, patience);
    expect(await worker.stop()).toBe("exit code 0");

    expect([...new Set(await scene.forwarded())]).toEqual([...ids(1, 100), ...ids(200, 200)]);
    const letters = await scene.stored("CASINO_DEAD");
    expect(new Set(letters.map(({ text }) => text))).toEqual(
      new Set([raw(poison.killing), raw(poison.hungry)]),
    );
    for (const { header } of letters) {
      expect(header("Casino-Dead-Reason")).toBe("max_deliveries");
      expect(header("Casino-Dead-Error")).toMatch(verdict);
      expect(header("X-Own")).toBe("kept");
      // To the three that ended with it alone, and to the one that set it aside; more where a busy worker renewed too late.
      expect(Number(header("Casino-Dead-Deliveries"))).toBeGreaterThan(3);
    }
    // Once unmarked and once in a marked batch, perhaps each for itself; then three times alone.
    const byEnd = Map.groupBy(worker.ends, (end) => end);
    expect(new Set(byEnd.keys())).toEqual(new Set(["signal SIGKILL", "signal SIGABRT"]));
    expect(byEnd.get("signal SIGKILL")).toHaveLength(5);
    expect([3, 4]).toContain(byEnd.get("signal SIGABRT")?.length);
  });

  test("by a loop without end or a promise that never settles, in one of two workers, while others wait for rates", async ({
    expect,
  }) => {
    await using scene = await Scene.make();
    const ratesAway = join(tempFolder("poison"), "rates-away");
    writeFileSync(ratesAway, "");
    const waiting = ids(5_000, 100);
    await scene.send([...ids(1, 100), poison.looping, ...waiting, poison.hanging, ...ids(200, 100)]);
    const workers = [1, 2].map(() => startWorker(scene.url, [`--rates-away=${ratesAway}`]));
    await waitFor(async () => (await scene.count("CASINO_DEAD")) === 2, patience);
    // Their sources go a moment later; those that wait for rates stay.
    await waitFor(async () => (await scene.count("CASINO_RAW")) === waiting.length, patience);
    rmSync(ratesAway);
    await scene.deliverAtOnce();
    await waitFor(async () => (await scene.count("CASINO_RAW")) === 0, patience);
    // One of them may still be at its start, and then ends without a word.
    for (const worker of workers) expect(["exit code 0", "signal SIGTERM"]).toContain(await worker.stop());

    expect([...new Set(await scene.forwarded())]).toEqual([...ids(1, 100), ...ids(200, 100), ...waiting]);
    const letters = await scene.stored("CASINO_DEAD");
    expect(new Set(letters.map(({ text }) => text))).toEqual(
      new Set([raw(poison.looping), raw(poison.hanging)]),
    );
    for (const { header } of letters) expect(header("Casino-Dead-Error")).toMatch(verdict);

    const ends = workers.flatMap((worker) => worker.ends);
    // Where the machine has no time for the inspector either, the thread kills the process.
    expect(ends).toContain("exit code 70");
    for (const end of ends) expect(["exit code 70", "signal SIGKILL"]).toContain(end);
    const fatal = workers.flatMap((worker) => worker.fatal);
    expect(fatal).toHaveLength(ends.length);
    const lines = fatal.map(({ msg }) => msg);
    expect(lines).toContain(
      "the event loop was blocked for 1 s with CASINO_RAW 101 of the step test in hand: the process ends, what it held comes again",
    );
    expect(lines).toContain(
      "no answer for 1 s about CASINO_RAW 202 of the step test: the process ends, what it held comes again",
    );
    const places = fatal.flatMap(({ at }) => (Array.isArray(at) ? at : []));
    expect(places.some((place) => /^9002 \(file:.*poison\.fixture\.ts:\d+\)$/.test(place))).toBe(true);
  });
});

test.concurrent("an outage in which workers are killed again and again sets nothing aside", {
  timeout: 90_000,
}, async () => {
  await using scene = await Scene.make();
  const postgresAway = join(tempFolder("poison"), "postgres-away");
  writeFileSync(postgresAway, "");
  await scene.send(ids(1, 300));
  const worker = startWorker(scene.url, [`--postgres-away=${postgresAway}`, "--ack-wait=1000"]);
  for (let killed = 1; killed <= 5; killed++) {
    await waitFor(() => worker.said("events wait: Postgres is away") === killed, patience);
    await worker.kill();
  }
  rmSync(postgresAway);
  await waitFor(async () => (await scene.count("CASINO_RAW")) === 0, patience);
  // What was forwarded twice, in different bundles, is final once.
  expect([...new Set(await scene.forwarded())]).toEqual(ids(1, 300));
  expect(await scene.count("CASINO_DEAD")).toBe(0);
  expect(await worker.stop()).toBe("exit code 0");
});

test.concurrent("a worker that was suspended for longer than its limits goes on", {
  timeout: 180_000,
}, async ({ expect }) => {
  await using scene = await Scene.make();
  const held = join(tempFolder("poison"), "held");
  writeFileSync(held, "");
  const worker = startWorker(scene.url, [`--held=${held}`, "--timeout=2000", "--ack-wait=60000"]);
  await scene.send([slow]);
  await waitFor(() => worker.said("holding") === 1, patience);
  worker.signal("SIGSTOP");
  const suspended = Date.now();
  await waitFor(() => Date.now() - suspended > 3_000);
  worker.signal("SIGCONT");
  rmSync(held);
  await waitFor(async () => (await scene.count("CASINO_TESTED")) === 1, patience);
  expect(worker.fatal).toEqual([]);
  expect(await worker.stop()).toBe("exit code 0");
  expect(worker.ends).toEqual([]);
});

test.concurrent("a worker that is blocked in native code is killed, and named all the same", {
  timeout: 180_000,
}, async ({ expect }) => {
  await using scene = await Scene.make();
  const worker = startWorker(scene.url);
  await scene.send([native]);
  await waitFor(() => worker.ends.length === 1, patience);
  expect(worker.ends).toEqual(["signal SIGKILL"]);
  expect(worker.fatal).toMatchObject([
    {
      msg: "the event loop was blocked for 1 s with CASINO_RAW 1 of the step test in hand: the process ends, what it held comes again",
      at: [],
    },
  ]);
  await worker.stop();
});
