import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import { missingPatience } from "./currencies.ts";
import type { RateSnapshot } from "./rate-snapshot.ts";
import { RateWarnings, warningsOf } from "./warnings.ts";
import { snapshotOf } from "./world.fixture.ts";

const at = Date.UTC(2026, 0, 20);
const day = 24 * 3600 * 1000;
const snapshot = (odd: Partial<RateSnapshot> = {}, fetchedAt = at): RateSnapshot => ({
  ...snapshotOf("1.07", fetchedAt),
  ...odd,
});
const logged: string[] = [];
const log = pino(
  { formatters: { level: (label) => ({ level: label }) } },
  { write: (line) => logged.push(line) },
);
beforeEach(() => void logged.splice(0));
const linesAt = (level: string) => logged.filter((line) => line.includes(`"level":"${level}"`));

test("there is none for rates as they should be", () => {
  expect(warningsOf(snapshot({ asOf: at - 7 * day }))).toEqual([]);
});

test("name what waits and for how long, what was left out, and how old the rates are", () => {
  const warnings = warningsOf(
    snapshot({ missing: new Map([["BRL", at]]), leftOut: ["XPT"], asOf: Date.UTC(2019, 2, 20) }),
  );
  expect(warnings).toEqual([
    expect.stringContaining(
      "no rate any more for BRL (since 2026-01-20T00:00:00.000Z): events in it wait, for 24 hours",
    ),
    "The rates API gives no usable rate for XPT, which counts as absent.",
    expect.stringContaining("of 2019-03-20 by the API's own words, more than a week old"),
  ]);
  expect(missingPatience).toBe(day);
  expect(warningsOf(snapshot({ asOf: at - 7 * day - 1 }))).toHaveLength(1);
});

test("name ten currencies at most", () => {
  const codes = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT".split(" ");
  const [warning] = warningsOf(snapshot({ leftOut: codes }));
  expect(warning).toContain("AZN, BAM and 2 more");
  expect(warning).not.toContain("BBD");
});

test("are logged when they come, once a day, and when they are over", () => {
  const warnings = new RateWarnings(log);
  for (let minute = 0; minute < 24 * 60; minute++)
    warnings.update(snapshot({ leftOut: ["XPT"] }, at + minute * 60_000));
  expect(linesAt("warn")).toHaveLength(1);
  expect(warnings.current).toEqual([expect.stringContaining("XPT")]);
  warnings.update(snapshot({ leftOut: ["XPT"] }, at + day));
  expect(linesAt("warn")).toHaveLength(2);
  warnings.update(snapshot({ leftOut: ["XPD"] }, at + day));
  expect(linesAt("warn")).toHaveLength(3);
  expect(linesAt("info")).toHaveLength(1);
  warnings.update(snapshot({}, at + day));
  expect(warnings.current).toEqual([]);
  expect(linesAt("info")).toHaveLength(2);
});
