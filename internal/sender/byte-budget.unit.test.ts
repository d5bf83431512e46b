import { expect, test } from "vitest";
import { ByteBudget } from "./byte-budget.ts";

const message = (bytes: number) => ({ data: new Uint8Array(bytes) });

test("while too much is held, those with more than an equal part take nothing", () => {
  const budget = new ByteBudget(1_000);
  const [large, small] = [budget.open(), budget.open()];
  large.received(message(999));
  expect([large.isFull, small.isFull]).toEqual([false, false]);
  large.received(message(1));
  expect([large.isFull, small.isFull]).toEqual([true, false]);
  small.received(message(501));
  expect([large.isFull, small.isFull]).toEqual([true, true]);
  small.returned(message(501));
  large.settled(message(1));
  expect([large.isFull, small.isFull]).toEqual([false, false]);
});

test("one that is closed holds nothing, and its part is the others'", () => {
  const budget = new ByteBudget(1_000);
  const [first, second] = [budget.open(), budget.open()];
  first.received(message(2_000));
  second.received(message(600));
  expect(second.isFull).toBe(true);
  first.close();
  expect([budget.held, second.isFull]).toEqual([600, false]);
  // What a broker that hung at the end still delivers, and nobody settles.
  first.received(message(500));
  expect(budget.held).toBe(600);
});
