import { setImmediate as pass } from "node:timers/promises";
import { expect, test } from "vitest";
import { Slices } from "./slices.ts";

/** Blocks the event loop, as work does. */
function block(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test("a piece of work goes on at once when no other does, and has a slice", async () => {
  const work = new Slices().of("a");
  expect(work.isOver).toBe(true);
  let began = false;
  const beginning = work.slice().then(() => {
    began = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(began).toBe(true);
  await beginning;
  expect(work.isOver).toBe(false);
  block(5);
  expect(work.isOver).toBe(true);
});

test("of many, each pass of the event loop has one slice, by turns of the owners", async () => {
  const slices = new Slices();
  const done: string[] = [];
  let passes = 0;
  let most = 0;
  let inThisPass = 0;
  let working = true;
  const watching = (async () => {
    while (working) {
      passes++;
      inThisPass = 0;
      await pass();
    }
  })();
  const long = async (owner: string, count: number) => {
    const work = slices.of(owner);
    for (let i = 0; i < count; i++) {
      await work.slice();
      most = Math.max(most, ++inThisPass);
      done.push(owner);
      block(1);
    }
  };
  await Promise.all([...Array.from({ length: 5 }, () => long("many", 4)), long("one", 4)]);
  working = false;
  await watching;
  expect(most).toBeLessThanOrEqual(2);
  expect(passes).toBeGreaterThanOrEqual(20);
  // The lone one is served every second time, not every sixth.
  expect(done.lastIndexOf("one")).toBeLessThanOrEqual(10);
});
