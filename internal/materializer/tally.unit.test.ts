import fc from "fast-check";
import { expect, test } from "vitest";
import { Tally } from "./tally.ts";

const amount = fc.oneof(
  fc.nat(1_000),
  fc.maxSafeNat(),
  fc.nat(1_000).map((below) => Number.MAX_SAFE_INTEGER - below),
);

test("sums are exact, and compare as they are, however large", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), amount), { maxLength: 200 }), (additions) => {
      const tally = new Tally();
      const expected = new Map<number, bigint>();
      for (const [index, value] of additions) {
        tally.add(index, value);
        expected.set(index, (expected.get(index) ?? 0n) + BigInt(value));
      }
      for (let a = 0; a <= 20; a++) {
        expect(BigInt(tally.get(a))).toBe(expected.get(a) ?? 0n);
        for (let b = 0; b <= 20; b++) {
          const difference = (expected.get(a) ?? 0n) - (expected.get(b) ?? 0n);
          expect(Math.sign(tally.compare(a, b))).toBe(difference > 0n ? 1 : difference < 0n ? -1 : 0);
        }
      }
    }),
  );
});

test("is a plain number up to 2^53-1 and a bigint from 2^53 on", () => {
  const tally = new Tally();
  tally.add(0, Number.MAX_SAFE_INTEGER);
  expect(tally.get(0)).toBe(Number.MAX_SAFE_INTEGER);
  tally.add(0, 1);
  expect(tally.get(0)).toBe(2n ** 53n);
  tally.add(0, 1);
  expect(tally.get(0)).toBe(2n ** 53n + 1n);
});
