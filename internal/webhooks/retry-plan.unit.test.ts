import { expect, test } from "vitest";
import { untilNextAttempt } from "./retry-plan.ts";

const plan = [5_000, 300_000];

test("pauses are those of the plan, a fifth more or less", () => {
  expect([0, 0.5, 1].map((random) => untilNextAttempt(plan, 1, 0, random))).toEqual([4_000, 5_000, 6_000]);
  expect(untilNextAttempt(plan, 2, 0, 0.5)).toBe(300_000);
  expect(untilNextAttempt(plan, 3, 0, 0.5)).toBeUndefined();
  expect(untilNextAttempt([], 1)).toBeUndefined();
});

test("a receiver may ask for more, up to a day, and never for less", () => {
  expect(untilNextAttempt(plan, 1, 60_000, 0.5)).toBe(60_000);
  expect(untilNextAttempt(plan, 2, 60_000, 0.5)).toBe(300_000);
  expect(untilNextAttempt(plan, 1, 1e12, 0.5)).toBe(86_400_000);
});
