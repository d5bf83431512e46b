import { describe, expect, test } from "vitest";
import { CountedRate, Series } from "./series.ts";

describe("a series", () => {
  test("has a number for each second, and nothing for seconds of which none was said", () => {
    const series = new Series();
    series.put(1_000, 5);
    series.put(1_003, 7.123456);
    expect(series.values(1_003).slice(-5)).toEqual([null, 5, null, null, 7.12]);
    expect(series.values(1_005).slice(-3)).toEqual([7.12, null, null]);
  });

  test("forgets what is older than 15 minutes, and what it had in the place of a second that was left out", () => {
    const series = new Series();
    for (let second = 1; second <= 900; second++) series.put(second, second);
    series.put(905, 1);
    const values = series.values(905);
    expect(values).toHaveLength(900);
    expect(values.slice(-6)).toEqual([900, null, null, null, null, 1]);
    expect(values[0]).toBe(6);
    series.put(5_000, 2);
    expect(series.values(5_000).filter((value) => value !== null)).toEqual([2]);
  });

  test("takes no second twice from a clock that was set back", () => {
    const series = new Series();
    series.put(1_000, 5);
    series.put(900, 9);
    expect(series.values(1_000).filter((value) => value !== null)).toEqual([5]);
  });

  test("begins anew with a clock that was far ahead and is set right", () => {
    const series = new Series();
    series.put(90_000, 5);
    series.put(3_600, 7);
    series.put(3_601, 8);
    expect(series.values(3_601).filter((value) => value !== null)).toEqual([7, 8]);
  });
});

test("a rate is the growth of a total, and unknown across a pause or a count that began anew", () => {
  const rate = new CountedRate();
  rate.count(100, 0);
  expect(rate.last).toBe(0);
  rate.count(150, 2_000);
  expect(rate.last).toBe(25);
  rate.count(3, 3_000);
  expect(rate.last).toBe(25);
  rate.count(13, 4_000);
  expect(rate.last).toBe(10);
  rate.count(9_000, 60_000);
  expect(rate.last).toBe(10);
});
