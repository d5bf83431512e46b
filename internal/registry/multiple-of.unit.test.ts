import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMultipleOf } from "./multiple-of.ts";

describe("isMultipleOf", () => {
  test.each([
    [19.99, 0.01],
    [1.11, 0.01],
    [8.69, 0.01],
    [0.93, 0.01],
    [1_070_468.14, 0.01],
    [10_000_000_000.01, 0.01],
    [-19.99, 0.01],
    [0, 0.01],
    [-0, 0.01],
    [7.5, 2.5],
    [1e22, 10],
    [1e308, 1e-300],
    [3e-7, 1e-7],
    [0.3, 0.1],
    [9, 3],
    [0.000_012_34, 1e-8],
  ])("%d is a multiple of %d", (value, divisor) => {
    expect(isMultipleOf(value, divisor)).toBe(true);
  });

  test.each([
    [19.999, 0.01],
    [0.005, 0.01],
    [10_000_000_000.001, 0.01],
    [1, 3],
    [0.35, 0.1],
    [1e-8, 1e-7],
    [7, 2.5],
    [1e22, 3],
  ])("%d is no multiple of %d", (value, divisor) => {
    expect(isMultipleOf(value, divisor)).toBe(false);
  });

  test("of cents is whatever is written with two decimals", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(10 ** 13), max: 10 ** 13 }),
        fc.integer({ min: 1, max: 9 }),
        (cents, more) => {
          const sign = cents < 0 ? "-" : "";
          const digits = String(Math.abs(cents)).padStart(3, "0");
          const text = `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
          expect(isMultipleOf(Number(text), 0.01)).toBe(true);
          expect(isMultipleOf(Number(`${text}${more}`), 0.01)).toBe(false);
        },
      ),
    );
  });
});
