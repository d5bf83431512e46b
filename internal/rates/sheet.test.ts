import { describe, expect, test } from "vitest";
import { RatesError } from "./answer.ts";
import { decodeSheet, encodeSheet, isFresh, type RateSheet, sheetMaxAge } from "./sheet.ts";

const at = Date.UTC(2022, 0, 10, 12, 34, 56, 789);
const sheet: RateSheet = { rates: new Map([["USD", "1.0684000000000000001"]]), fetchedAt: at };

test.each([
  [0, true],
  [sheetMaxAge - 1, true],
  [sheetMaxAge, false],
  [sheetMaxAge + 1, false],
  [-5_000, true],
  [-5_001, false],
  [-3_600_000, false],
])("a sheet of an age of %i ms is fresh: %s", (age, fresh) => {
  expect(isFresh(sheet, at + age)).toBe(fresh);
});

test("is written as one whole answer, digits and all", () => {
  expect(encodeSheet(sheet)).toBe(
    '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"EUR","rates":{"USD":"1.0684000000000000001"}}',
  );
  expect(decodeSheet(encodeSheet(sheet))).toEqual(sheet);
});

describe("does not believe an entry that", () => {
  test.each([
    ["is not JSON", "x"],
    ["has no time", '{"base":"EUR","rates":{"USD":"1"}}'],
    ["has a time that is none", '{"fetched_at":"soon","base":"EUR","rates":{"USD":"1"}}'],
    ["has a number for a time", '{"fetched_at":1641818096789,"base":"EUR","rates":{"USD":"1"}}'],
    ["has another base", '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"USD","rates":{"USD":"1"}}'],
    ["has a bad rate", '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"EUR","rates":{"USD":"0"}}'],
  ])("%s", (_name, text) => {
    expect(() => decodeSheet(text)).toThrow(RatesError);
  });
});
