import { expect, test } from "vitest";
import { hashInteger } from "./hash.ts";

test("spreads consecutive, high-bit and salted values evenly over a table", () => {
  const families: ((i: number) => number)[] = [
    (i) => hashInteger(i),
    (i) => hashInteger(i * 2 ** 20),
    (i) => hashInteger(i * 2 ** 38),
    (i) => hashInteger(7, i),
  ];
  for (const hash of families) {
    const buckets = new Uint32Array(64);
    const rounds = 6_400;
    for (let i = 0; i < rounds; i++) {
      const bucket = hash(i) % 64;
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    // 100 are expected per bucket; a fair hash deviates this far in fewer than one of 10^9 runs.
    expect(Math.max(...buckets)).toBeLessThan(180);
    expect(Math.min(...buckets)).toBeGreaterThan(30);
  }
});

test("is an unsigned 32-bit integer, the same for the same value, up to 2^53-1", () => {
  for (const value of [0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const hash = hashInteger(value);
    expect(hash).toBe(hashInteger(value));
    expect(hash).toBe(hash >>> 0);
  }
});
