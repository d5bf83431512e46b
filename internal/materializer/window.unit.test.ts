import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maxWindowSeconds, SlidingWindow } from "./window.ts";

const start = Date.UTC(2022, 0, 10, 12, 34, 56, 789);

/** Gaps that make bursts, pauses of minutes, steps back of the broker's clock and lulls longer than the ring. */
const gap = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.nat(120_000) },
  { weight: 1, arbitrary: fc.integer({ min: -2_000, max: 0 }) },
  { weight: 1, arbitrary: fc.nat(8_000_000) },
);

describe("against a list of all times", () => {
  test("counts each event of the window, give or take the oldest tick, and none that is older", () => {
    const seconds = fc.oneof(
      fc.constantFrom(1, 59, 60, 61, maxWindowSeconds),
      fc.integer({ min: 1, max: maxWindowSeconds }),
    );
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 300 }), seconds, fc.nat(5_000), (gaps, length, idle) => {
        const window = new SlidingWindow();
        const times: number[] = [];
        let now = start;
        for (const each of gaps) {
          now += each;
          times.push(now);
          window.add(now);
        }
        now = Math.max(start, ...times) + idle;
        const tick = length <= 60 ? 10 : 1_000;
        const within = (ms: number) => times.filter((at) => at > now - ms && at <= now).length;
        const counted = window.count(length, now);
        expect(counted).toBeLessThanOrEqual(within(length * 1_000));
        expect(counted).toBeGreaterThanOrEqual(within(length * 1_000 - tick));
      }),
      { numRuns: 300 },
    );
  });
});

test("is zero once idle for exactly a window, and not a hundredth of a second before", () => {
  for (const length of [1, 60]) {
    const window = new SlidingWindow();
    for (let i = 0; i < 5; i++) window.add(start);
    expect(window.count(length, start + length * 1_000 - 20)).toBe(5);
    expect(window.count(length, start + length * 1_000)).toBe(0);
  }
});

test("asking does not move the window: a later question about an earlier time still holds", () => {
  const window = new SlidingWindow();
  window.add(start);
  expect(window.count(60, start + 3_600_000)).toBe(0);
  expect(window.count(60, start + 1)).toBe(1);
});

describe("a clock that was wrong and is set right", () => {
  /** Ten events per second between two seconds. */
  const fill = (window: SlidingWindow, from: number, to: number) => {
    for (let at = from * 1_000; at < to * 1_000; at += 100) window.add(start + at);
  };

  test.each([120, 600, 3_600, 86_400, 10 * 365 * 86_400])(
    "ahead by %i s: all windows are right at once",
    (ahead) => {
      const window = new SlidingWindow();
      fill(window, 0, 300);
      fill(window, 300 + ahead, 302 + ahead);
      fill(window, 302, 330);
      const now = start + 330_000;
      expect(window.count(10, now)).toBeGreaterThanOrEqual(99);
      // Two seconds of the minute were stored with a wrong time.
      expect(Math.abs(window.count(60, now) - 580)).toBeLessThanOrEqual(1);
      if (ahead >= 3_600) expect(Math.abs(window.count(3_600, now) - 3_280)).toBeLessThanOrEqual(10);
    },
  );

  test("ahead from the very beginning: it counts what is stored after the correction", () => {
    const window = new SlidingWindow();
    fill(window, 7_200, 7_210);
    fill(window, 10, 80);
    expect(Math.abs(window.count(60, start + 80_000) - 600)).toBeLessThanOrEqual(1);
  });

  test("behind: it counts what is stored after the correction", () => {
    const window = new SlidingWindow();
    fill(window, -7_200, -7_190);
    fill(window, 10, 80);
    expect(Math.abs(window.count(60, start + 80_000) - 600)).toBeLessThanOrEqual(1);
  });
});

test("is empty before the first event", () => {
  expect(new SlidingWindow().count(maxWindowSeconds, start)).toBe(0);
});
