import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";

const take = (count: number, seed: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

test("a seed gives the same numbers on every machine, for ever", () => {
  expect(take(3, 0)).toEqual([0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]);
  expect(take(3, 7)).toEqual(take(3, 7));
  expect(take(3, 7)).not.toEqual(take(3, 8));
});

test("numbers lie in [0, 1), whatever the seed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
      for (const number of take(100, seed)) expect(number >= 0 && number < 1).toBe(true);
    }),
  );
});

test("they are spread evenly", () => {
  const counts = Array<number>(10).fill(0);
  for (const number of take(100_000, 1))
    counts[Math.floor(number * 10)] = (counts[Math.floor(number * 10)] ?? 0) + 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});
