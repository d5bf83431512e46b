import { describe, expect, test } from "vitest";
import { RatesError } from "./answer.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  isFresh,
  type RateSnapshot,
  snapshotMaxAge,
} from "./rate-snapshot.ts";

const at = Date.UTC(2022, 0, 10, 12, 34, 56, 789);
const snapshot: RateSnapshot = {
  rates: new Map([["USD", "1.0684000000000000001"]]),
  leftOut: [],
  missing: new Map(),
  fetchedAt: at,
};

test.each([
  [0, true],
  [snapshotMaxAge - 1, true],
  [snapshotMaxAge, false],
  [snapshotMaxAge + 1, false],
  [-5_000, true],
  [-5_001, false],
  [-3_600_000, false],
])("a snapshot of an age of %i ms is fresh: %s", (age, fresh) => {
  expect(isFresh(snapshot, at + age)).toBe(fresh);
});

test("is written as one whole answer, digits and all", () => {
  expect(encodeSnapshot(snapshot)).toBe(
    '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"EUR","rates":{"USD":"1.0684000000000000001"}}',
  );
  expect(decodeSnapshot(encodeSnapshot(snapshot))).toEqual(snapshot);
});

test("says what the answer left out and lacks, and of when it is", () => {
  const odd: RateSnapshot = {
    ...snapshot,
    leftOut: ["GBP", "XPT"],
    missing: new Map([["BRL", at - 1_000]]),
    asOf: Date.UTC(2019, 2, 20),
  };
  expect(decodeSnapshot(encodeSnapshot(odd))).toEqual(odd);
});

describe("does not believe an entry that", () => {
  test.each([
    ["is not JSON", "x"],
    ["has no time", '{"base":"EUR","rates":{"USD":"1"}}'],
    ["has a time that is none", '{"fetched_at":"soon","base":"EUR","rates":{"USD":"1"}}'],
    ["has a number for a time", '{"fetched_at":1641818096789,"base":"EUR","rates":{"USD":"1"}}'],
    ["has another base", '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"USD","rates":{"USD":"1"}}'],
    [
      "misses a currency since no time",
      '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"EUR","rates":{"USD":"1"},"missing":{"SEK":"soon"}}',
    ],
    ["has a bad rate", '{"fetched_at":"2022-01-10T12:34:56.789Z","base":"EUR","rates":{"USD":"0"}}'],
  ])("%s", (_name, text) => {
    expect(() => decodeSnapshot(text)).toThrow(RatesError);
  });
});
