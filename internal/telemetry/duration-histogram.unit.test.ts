import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { DurationHistogram, quantileBetween, tick, ticksSince } from "./duration-histogram.ts";

const none = new DurationHistogram().snapshot();

test("a quantile is right to a quarter", () => {
  const durations = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.99, 1), (ticks, share) => {
      const histogram = new DurationHistogram();
      for (const each of ticks) histogram.add(each);
      const exact = ticks.toSorted((a, b) => a - b)[Math.ceil(ticks.length * share) - 1] ?? 0;
      const found = quantileBetween(none, histogram.snapshot(), share) ?? Number.NaN;
      expect(found).toBeGreaterThanOrEqual((exact / 16) * 0.79);
      expect(found).toBeLessThanOrEqual(((exact + 1) / 16) * 1.26);
    }),
    { seed: 1 },
  );
});

test("only what was counted between two snapshots counts", () => {
  const histogram = new DurationHistogram();
  histogram.add(16_000, 1_000);
  const then = histogram.snapshot();
  expect(quantileBetween(then, histogram.snapshot(), 0.5)).toBeNull();
  histogram.add(160, 3);
  expect(quantileBetween(then, histogram.snapshot(), 0.5)).toBeCloseTo(11, 0);
});

test("how many took at most a power of two of milliseconds is exact", () => {
  const histogram = new DurationHistogram();
  for (const ms of [0, 0.5, 0.9375, 1, 3, 1_000, 1_025]) histogram.add(ms * 16);
  expect([1, 2, 4, 1_024, 2_048].map((ms) => histogram.countWithin(ms))).toEqual([3, 4, 5, 6, 7]);
  expect(histogram.count).toBe(7);
  expect(histogram.sumSeconds).toBeCloseTo(2.0304375, 6);
});

test("a duration is right across the moment at which ticks begin anew", () => {
  const clock = vi.spyOn(performance, "now");
  try {
    clock.mockReturnValue(2 ** 28 / 2 - 1); // the last millisecond before they turn negative
    const began = tick();
    clock.mockReturnValue(2 ** 28 / 2 + 1);
    expect(ticksSince(began)).toBe(2 * 16);
  } finally {
    clock.mockRestore();
  }
});
