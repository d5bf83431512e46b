import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { RatesError } from "./answer.ts";
import { encodeSnapshot } from "./rate-snapshot.ts";
import {
  broken,
  bucket,
  dieWithLock,
  good,
  lockOfAProcess,
  never,
  snapshotOf,
  somebodyWaits,
  start,
  startProcess,
  useWorld,
  world,
} from "./world.fixture.ts";

useWorld();

describe("when the API", () => {
  test.each([
    ["answers 500", broken, "it answered with status 500"],
    ["answers garbage", (response: ServerResponse) => response.end("<html>"), "the answer is not JSON"],
    ["answers too much", (response: ServerResponse) => response.end("x".repeat(1_100_000)), "is longer than"],
    ["does not answer", () => {}, "no complete answer within 1 s"],
    ["hangs up", (response: ServerResponse) => response.destroy(), "it cannot be reached"],
    [
      "lacks USD",
      (response: ServerResponse) => response.end('{"base":"EUR","rates":{"GBP":1}}'),
      "no rate for USD",
    ],
  ])("%s: rejects, and recovers", async (_name, answered, problem) => {
    world.answer = answered;
    const rates = await startProcess({ apiTimeout: 1_000 });
    await expect(rates.current(never)).rejects.toThrow(RatesError);
    expect(rates.problem()).toContain(problem);
    world.answer = good;
    world.clock += 1_000;
    expect((await rates.current(never)).fetchedAt).toBe(world.clock);
    expect(rates.problem()).toBeUndefined();
    expect(world.logged.filter((line) => line.includes("getting rates"))).toHaveLength(2);
  });

  test("fails, a burst of callers does not reach it", async () => {
    world.answer = broken;
    const rates = await startProcess();
    const burst = () => Promise.allSettled(Array.from({ length: 50 }, () => rates.current(never)));
    expect((await burst()).every((outcome) => outcome.status === "rejected")).toBe(true);
    world.clock += 999;
    await burst();
    expect(world.calls).toBe(1);
    world.clock += 1;
    await burst();
    expect(world.calls).toBe(2);
    // A clock that is set back must not make the failure last.
    world.clock -= 3_600_000;
    await burst();
    expect(world.calls).toBe(3);
  });
});

describe("never hands out a snapshot older than 60 s", () => {
  test("when the API is away: rejects instead", async () => {
    const rates = await startProcess();
    await rates.current(never);
    world.answer = broken;
    world.clock = start + 59_999;
    expect((await rates.current(never)).fetchedAt).toBe(start);
    world.clock = start + 60_000;
    await expect(rates.current(never)).rejects.toThrow("status 500");
  });

  test("when the bucket still holds one", async () => {
    const old = snapshotOf("7", start - 60_000);
    await (await bucket()).put("EUR", encodeSnapshot(old));
    expect((await (await startProcess()).current(never)).fetchedAt).toBe(start);
  });

  test("when the bucket holds one from the future", async () => {
    const future = snapshotOf("7", start + 3_600_000);
    await (await bucket()).put("EUR", encodeSnapshot(future));
    expect((await (await startProcess()).current(never)).fetchedAt).toBe(start);
  });

  test("when the clock is set back", async () => {
    const rates = await startProcess();
    await rates.current(never);
    world.clock = start - 3_600_000;
    expect((await rates.current(never)).fetchedAt).toBe(world.clock);
  });

  test("when the answer took so long", async () => {
    const rates = await startProcess({
      fetchRates: async () => {
        world.clock += 60_000;
        return { rates: new Map([["USD", "7"]]), leftOut: [] };
      },
    });
    await expect(rates.current(never)).rejects.toThrow("the rates API took longer than 60 s");
  });

  test("whatever the clock does and the API answers", async () => {
    const processes = [await startProcess(), await startProcess()];
    let given = 0;
    for (let step = 0; step < 150; step++) {
      world.clock += (step * 7_919) % 31_000;
      world.answer = step % 3 === 0 ? broken : good;
      for (const outcome of await Promise.allSettled(processes.map((rates) => rates.current(never)))) {
        if (outcome.status === "rejected") continue;
        given++;
        expect(world.clock - outcome.value.fetchedAt).toBeLessThan(60_000);
      }
    }
    expect(given).toBeGreaterThan(100);
  });
});

describe("a caller", () => {
  test("that gives up leaves the flight to the others", async () => {
    const held = Promise.withResolvers<void>();
    world.answer = (response) => void held.promise.then(() => good(response));
    const rates = await startProcess();
    const stop = new AbortController();
    const reason = new Error("shutting down");
    const impatient = rates.current(stop.signal);
    const patient = rates.current(never);
    await waitFor(() => world.calls === 1);
    stop.abort(reason);
    await expect(impatient).rejects.toBe(reason);
    await expect(rates.current(stop.signal)).rejects.toBe(reason);
    held.resolve();
    expect((await patient).fetchedAt).toBe(start);
    expect(world.calls).toBe(1);
  });
});

describe("closing", () => {
  test("ends the flight and gives the lock back", async () => {
    world.answer = () => {};
    const rates = await startProcess();
    const outcome = rates.current(never).catch((error: unknown) => error);
    await waitFor(() => world.calls === 1);
    await rates.close();
    expect(await outcome).toMatchObject({ message: "the rates are closed" });
    await expect(rates.current(never)).rejects.toThrow("the rates are closed");
    expect(world.logged).toEqual([]);

    expect(await lockOfAProcess().acquire()).toBeDefined();
  });

  test("ends the wait for another process", async () => {
    await dieWithLock(60_000);
    const rates = await startProcess({ patience: 60_000 });
    const outcome = rates.current(never).catch((error: unknown) => error);
    await somebodyWaits();
    await rates.close();
    expect(await outcome).toMatchObject({ message: "the rates are closed" });
    expect(world.calls).toBe(0);
  });
});

describe("a currency that answers had", () => {
  const partial = (response: ServerResponse) => void response.end('{"base":"EUR","rates":{"USD":1.07}}');
  const whole = (response: ServerResponse) =>
    void response.end('{"base":"EUR","rates":{"USD":1.07,"BRL":6.2}}');
  const day = 24 * 3600 * 1000;

  test("and now lack is missing for a day, in all processes and later ones, with a warning", async () => {
    world.answer = whole;
    expect((await (await startProcess()).current(never)).missing).toEqual(new Map());
    world.answer = partial;
    const lacking = start + 3_600_000;
    world.clock = lacking;
    const [one, two] = [await startProcess(), await startProcess()];
    for (const rates of [one, two]) {
      expect((await rates.current(never)).missing).toEqual(new Map([["BRL", lacking]]));
      expect(rates.warnings()).toEqual([expect.stringContaining("BRL")]);
      expect(rates.problem()).toBeUndefined();
    }
    expect(world.calls).toBe(2);
    world.clock = lacking + day - 1;
    expect((await one.current(never)).missing.has("BRL")).toBe(true);
    world.clock = lacking + day + 60_000;
    expect((await one.current(never)).missing).toEqual(new Map());
    expect(one.warnings()).toEqual([]);
  });

  test("and have again is missing no more", async () => {
    world.answer = whole;
    const rates = await startProcess();
    await rates.current(never);
    for (const [answer, missing] of [
      [partial, 1],
      [whole, 0],
    ] as const) {
      world.answer = answer;
      world.clock += 60_000;
      expect((await rates.current(never)).missing.size).toBe(missing);
    }
    expect(rates.warnings()).toEqual([]);
  });
});
