import fc from "fast-check";
import { expect, test } from "vitest";
import { AcceptedNumbers } from "./accepted-numbers.ts";

const at = Date.UTC(2022, 0, 10);
const key = (number: number, line?: number) => `${number}.${line}`;

test("knows the numbers that were added, as a set does: of single events and of lines", () => {
  // Each number states how many lines its message has.
  const linesOf = (number: number) => number % 40;
  const number = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(fc.array(fc.tuple(number, fc.nat(1_000)), { maxLength: 500 }), (added) => {
      const numbers = new AcceptedNumbers();
      const seen = new Set<string>();
      for (const [each, random] of added) {
        const lines = linesOf(each);
        const accepted =
          lines === 0 ? { number: each, at } : { number: each, at, line: 1 + (random % lines), lines };
        const known = key(each, accepted.line);
        expect(numbers.has(accepted)).toBe(seen.has(known));
        numbers.add(accepted);
        seen.add(known);
      }
    }),
  );
});

test("a million consecutive numbers cost next to nothing, whatever their order", () => {
  const before = process.memoryUsage().arrayBuffers;
  const numbers = new AcceptedNumbers();
  for (let number = 0; number < 2 ** 20; number += 4)
    for (const each of [2, 0, 3, 1]) numbers.add({ number: number + each, at });
  for (let number = 0; number < 2 ** 20; number += 997) expect(numbers.has({ number, at })).toBe(true);
  expect(numbers.has({ number: 2 ** 20, at })).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20); // a tenth of that is enough but for the collector
});

test("beyond its bounds the oldest are forgotten, and the latest known", () => {
  const numbers = new AcceptedNumbers({ chunks: 3, full: 2, partial: 5 });
  for (let chunk = 0; chunk < 10; chunk++) numbers.add({ number: chunk * 2 ** 15 + 7, at });
  expect(numbers.has({ number: 7, at })).toBe(false);
  expect(numbers.has({ number: 9 * 2 ** 15 + 7, at })).toBe(true);
  for (let number = 1_000; number < 1_010; number++)
    numbers.add({ number: number * 2 ** 15, line: 1, lines: 2, at });
  expect(numbers.has({ number: 1_000 * 2 ** 15, line: 1, lines: 2, at })).toBe(false);
  expect(numbers.has({ number: 1_009 * 2 ** 15, line: 1, lines: 2, at })).toBe(true);
});

test("lines that no raw message can have are not remembered", () => {
  const numbers = new AcceptedNumbers();
  numbers.add({ number: 1, line: 5_000, lines: 9_000, at });
  expect(numbers.has({ number: 1, line: 5_000, lines: 9_000, at })).toBe(false);
});
