import { describe, expect, test } from "vitest";
import { redisServerForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { noLock } from "./lock.ts";
import { encodeSnapshot } from "./rate-snapshot.ts";
import type { Rates } from "./rates.ts";
import {
  broken,
  bucket,
  dieWithLock,
  good,
  natsServer,
  never,
  snapshotOf,
  somebodyWaits,
  start,
  startProcess,
  useWorld,
  world,
} from "./world.fixture.ts";

useWorld();

const startProcesses = (count: number) => Promise.all(Array.from({ length: count }, () => startProcess()));
const askAll = (processes: Rates[]) => Promise.all(processes.map((rates) => rates.current(never)));

describe("many processes", () => {
  test("with many callers each ask the API once per 60 s", async () => {
    const processes = await startProcesses(6);
    const snapshots = await askAll([...processes, ...processes, ...processes]);
    expect(world.calls).toBe(1);
    expect(
      new Set(snapshots.map((snapshot) => JSON.stringify([...snapshot.rates, snapshot.fetchedAt]))),
    ).toEqual(new Set([`[["USD","1.01"],${start}]`]));

    world.clock = start + 59_999;
    expect((await askAll(processes)).every((snapshot) => snapshot.fetchedAt === start)).toBe(true);
    expect(world.calls).toBe(1);

    world.clock = start + 60_000;
    expect((await askAll(processes)).every((snapshot) => snapshot.fetchedAt === world.clock)).toBe(true);
    expect(world.calls).toBe(2);
  });

  test("and one that starts later uses what the others have", async () => {
    await (await startProcess()).current(never);
    world.clock += 30_000;
    expect((await (await startProcess()).current(never)).fetchedAt).toBe(start);
    expect(world.calls).toBe(1);
  });

  test("wait for the one that asks, and take what it hands over", async () => {
    await dieWithLock(60_000);
    const waiting = await startProcess();
    const snapshot = waiting.current(never);
    await somebodyWaits();
    const handedOver = snapshotOf("7", start - 1_000);
    await (await bucket()).put("EUR", encodeSnapshot(handedOver));
    expect(await snapshot).toEqual(handedOver);
    expect(world.calls).toBe(0);
  });

  test("go on when the one that asks dies, once its lock expires", async () => {
    const began = performance.now();
    await dieWithLock(600);
    const snapshots = await askAll(await startProcesses(3));
    expect(performance.now() - began).toBeGreaterThanOrEqual(600);
    expect(world.logged).toEqual([]);
    expect(snapshots.map((snapshot) => snapshot.rates.get("USD"))).toEqual(["1.01", "1.01", "1.01"]);
    expect(world.calls).toBe(1);
  });

  test("do not wait for ever for one that hands nothing over", async () => {
    await dieWithLock(60_000);
    const rates = await startProcess({ patience: 200 });
    await expect(rates.current(never)).rejects.toThrow(
      "another process is asking the rates API and had no answer within 0.2 s",
    );
    expect(world.calls).toBe(0);
  });

  test("look again once they have the lock: its former holder may have put a snapshot there", async () => {
    const snapshot = snapshotOf("7", start - 1_000);
    const answers = [undefined, snapshot];
    const rates = await startProcess({
      cache: { get: async () => answers.shift(), put: async () => {}, next: async () => undefined },
    });
    expect(await rates.current(never)).toEqual(snapshot);
    expect(world.calls).toBe(0);
  });

  test("pass the lock on when the API fails", async () => {
    world.answer = broken;
    const processes = await startProcesses(3);
    const outcomes = await Promise.allSettled(processes.map((rates) => rates.current(never)));
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "rejected"]);
    world.answer = good;
    world.clock += 1_000;
    await askAll(processes);
    expect(world.calls).toBe(4);
  });
});

describe("goes on without", () => {
  test("Redis, when it is killed", async () => {
    const redis = await redisServerForTest();
    const rates = await startProcess({ redis: redis.url });
    await rates.current(never);
    await redis.kill();
    world.clock += 60_000;
    expect((await rates.current(never)).fetchedAt).toBe(world.clock);
    world.clock += 60_000;
    expect((await rates.current(never)).fetchedAt).toBe(world.clock);
    expect(world.logged.filter((line) => line.includes("the lock in Redis failed"))).toHaveLength(1);
  });

  test("Redis, when there is none; others still get the snapshot", async () => {
    await (await startProcess({ lock: noLock })).current(never);
    await (await startProcess({ lock: noLock })).current(never);
    expect(world.calls).toBe(1);
  });

  test("NATS, asking the API itself, and shares again when it is back", async () => {
    const [one, two] = [await startProcess({ natsTimeout: 300 }), await startProcess({ natsTimeout: 300 })];
    await natsServer().kill();
    try {
      expect((await askAll([one, two])).map((snapshot) => snapshot.fetchedAt)).toEqual([start, start]);
      expect(world.calls).toBe(2);
      world.clock += 60_000;
      expect((await one.current(never)).fetchedAt).toBe(world.clock);
      expect(world.logged.filter((line) => line.includes("the cache of rates in NATS failed"))).toHaveLength(
        2,
      );
    } finally {
      await natsServer().start();
    }
    await waitFor(async () => {
      world.clock += 60_000;
      const before = world.calls;
      await askAll([one, two]);
      return world.calls === before + 1;
    });
    expect(world.logged.join("")).toContain("the cache of rates in NATS works again");
  });

  test("NATS lost while it waits for another process", async () => {
    await dieWithLock(60_000);
    const rates = await startProcess({
      cache: {
        get: async () => undefined,
        put: async () => {},
        next: () => Promise.reject(new Error("connection lost")),
      },
    });
    expect((await rates.current(never)).fetchedAt).toBe(start);
  });
});
