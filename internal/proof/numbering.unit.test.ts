import { expect, test } from "vitest";
import { Numbering } from "./numbering.ts";
import { emptyStream } from "./reconciliation.examples.ts";

const began = 1_000_000;
const raw = { ...emptyStream, stream: "CASINO_RAW", created: began, lastSeq: 200, lastAt: began + 200_000 };
const accepted = (number: number, at: number) => ({ number, at });

test("a number that was given out before the stream was made is another's", () => {
  const numbering = new Numbering(raw, 0);
  expect(numbering.isOurs(accepted(5, began))).toBe(true);
  expect(numbering.isOurs(undefined)).toBe(false);
  expect(numbering.isSuccessor).toBe(false);
  expect(numbering.isOurs(accepted(5, began - 1))).toBe(false);
  expect(numbering.isSuccessor).toBe(true);
  expect(numbering.isAmbiguous).toBe(false);
});

test("the first one is the smallest that was given out late enough, as far as is known", () => {
  expect(new Numbering(raw, 0).first).toBe(1);
  const numbering = new Numbering(raw, began + 50_000);
  expect(numbering.first).toBe(200);
  for (const number of [40, 60, 55, 45]) numbering.isOurs(accepted(number, began + number * 1_000));
  expect(numbering.first).toBe(55);
  expect(new Numbering(raw, began + 300_000).first).toBe(201);
});

// A cluster does not say when the stream was made.
test.each<[string, readonly (readonly [number, number])[], boolean]>([
  [
    "one time each",
    [
      [1, 5],
      [65, 6],
      [65, 6],
      [66, 6],
    ],
    false,
  ],
  [
    "two times",
    [
      [65, 6],
      [65, 7],
    ],
    true,
  ],
  ["younger than this reading", [[201, began + 200_001]], false],
  ["by clocks that differ a little", [[201, began + 150_000]], false],
  ["beyond the last, long ago", [[201, 7]], true],
])("numbers in a cluster that were given out %s", (_when, given, isAmbiguous) => {
  const numbering = new Numbering({ ...raw, created: 0 }, 0);
  for (const [number, at] of given) expect(numbering.isOurs(accepted(number, at))).toBe(true);
  expect(numbering.isAmbiguous).toBe(isAmbiguous);
});
