import { expect, test } from "vitest";
import { Fates } from "./fates.ts";

test("each number counts once, by the furthest it came, and those nowhere are named", () => {
  const fates = new Fates();
  for (const number of [1, 2, 65_535, 65_536, 65_537]) expect(fates.add(number, "final")).toBe(true);
  expect(fates.add(2, "final")).toBe(false);
  fates.add(2, "waiting");
  fates.add(3, "waiting");
  fates.add(3, "dead");
  fates.add(65_540, "copy");
  expect(fates.has(3, "dead")).toBe(true);
  expect(fates.isKnown(4)).toBe(false);

  fates.add(65_541, "final");
  const { counts, unknown, firstUnknown } = fates.sum(1, 65_540, 2);
  expect(counts).toEqual({ final: 5, waiting: 1, dead: 0, sentAgain: 0, discarded: 0, copy: 1, moving: 0 });
  expect([unknown, firstUnknown]).toEqual([65_540 - 7, [4, 5]]);
  // What lies before the first counts where it is known.
  expect(fates.sum(65_536, 65_540, 2)).toEqual({
    counts,
    unknownBefore: 65_535 - 4,
    unknown: 2,
    firstUnknown: [65_538, 65_539],
  });
});
