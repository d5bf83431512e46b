import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Delivery } from "../jetstream/delivery.ts";
import { batches } from "./batches.ts";

/** A mailbox that returns these lists one after the other, each after its delay in ms, and is then stopped. */
function mailboxOf(...lists: readonly (readonly [count: number, delayMs: number])[]) {
  const left = [...lists];
  return {
    async take() {
      const [count, delayMs] = left.shift() ?? [0, 0];
      if (count === 0) return undefined;
      if (delayMs > 0) await sleep(delayMs);
      return Array.from({ length: count }, () => ({}) as Delivery); // only counted
    },
  };
}

async function sizes(...args: Parameters<typeof batches>): Promise<readonly number[]> {
  const found: number[] = [];
  for await (const batch of batches(...args)) found.push(batch.length);
  return found;
}

const never = 60_000;

test("a batch is complete with its size, give or take what came at once", async () => {
  expect(await sizes(mailboxOf([4, 0], [4, 0], [4, 0], [1, 0]), { size: 8, lingerMs: never })).toEqual([
    8, 5,
  ]);
  expect(await sizes(mailboxOf([20, 0], [1, 0]), { size: 8, lingerMs: never })).toEqual([20, 1]);
});

test("a batch is complete when its first delivery has waited for long enough", async () => {
  expect(await sizes(mailboxOf([1, 0], [2, 500], [3, 0]), { size: 8, lingerMs: 20 })).toEqual([1, 5]);
});

test("what was taken before the stop is given out", async () => {
  expect(await sizes(mailboxOf([3, 0]), { size: 8, lingerMs: never })).toEqual([3]);
  expect(await sizes(mailboxOf(), { size: 8, lingerMs: never })).toEqual([]);
});
