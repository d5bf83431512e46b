import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTimestamp } from "./timestamp.ts";

const FIRST = Date.parse("0000-01-01T00:00:00.000Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");
const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const pad = (value: number, width = 2) => String(value).padStart(width, "0");

describe("parseTimestamp", () => {
  it.each([
    ["2022-01-10T12:34:56.789Z", "2022-01-10T12:34:56.789Z"],
    ["2022-01-10T12:34:56.789+00", "2022-01-10T12:34:56.789Z"],
    ["2022-01-10T12:34:56.789-00:00", "2022-01-10T12:34:56.789Z"],
    ["2022-01-10T12:34:56Z", "2022-01-10T12:34:56.000Z"],
    ["2022-01-10t12:34:56z", "2022-01-10T12:34:56.000Z"],
    ["2022-01-10t12:34:56.789Z", "2022-01-10T12:34:56.789Z"],
    ["2022-01-10T12:34:56.7Z", "2022-01-10T12:34:56.700Z"],
    ["2022-01-10T12:34:56.7899999Z", "2022-01-10T12:34:56.789Z"],
    ["2022-01-10T23:59:59.9999999999Z", "2022-01-10T23:59:59.999Z"],
    ["1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"],
    ["2022-01-10T12:34:56.789+05:30", "2022-01-10T07:04:56.789Z"],
    ["2022-01-01T00:30:00+01", "2021-12-31T23:30:00.000Z"],
    ["2022-12-31T23:30:00-01:00", "2023-01-01T00:30:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"],
    ["0050-06-01T12:00:00+02:00", "0050-06-01T10:00:00.000Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
  ])("writes %s as %s", (text, expected) => expect(parseTimestamp(text)).toBe(expected));

  it.each([
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["2016-12-31T23:59:60.500Z", "2017-01-01T00:00:00.500Z"],
    ["2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00.000Z"],
    ["2016-12-31T15:59:60-08", "2017-01-01T00:00:00.000Z"],
    ["2017-01-01T05:29:60.9999+05:30", "2017-01-01T00:00:00.999Z"],
    ["2015-06-30T23:59:60Z", "2015-07-01T00:00:00.000Z"],
    ["2015-07-01T23:58:60+23:59", "2015-07-01T00:00:00.000Z"],
    ["2015-06-30T16:59:60.25-07:00", "2015-07-01T00:00:00.250Z"],
  ])("writes the leap second %s as the second after it", (text, expected) =>
    expect(parseTimestamp(text)).toBe(expected),
  );

  it.each([
    "2022-02-30T12:00:00.000Z",
    "2022-02-29T12:00:00Z",
    "1900-02-29T12:00:00Z",
    "2200-02-29T12:00:00Z",
    "2022-04-31T12:00:00+01:00",
    "2022-00-10T12:00:00Z",
    "2022-13-10T12:00:00.000Z",
    "2022-01-00T12:00:00Z",
    "2022-01-10T24:00:00Z",
    "2022-01-10T24:00:00.000Z",
    "2022-01-10T12:60:00.000Z",
    "2022-01-10T12:34:67Z",
    "2022-01-10T12:34:67.000Z",
    "2022-01-10T12:34:61+01:00",
    "2022-01-10T12:34:60Z",
    "2022-01-10T12:34:60.000Z",
    "2016-12-31T23:59:60+01:00",
    "2022-03-03T23:59:60Z",
    "2022-03-31T23:59:60Z",
    "2022-06-29T23:59:60Z",
    "2022-07-31T23:59:60Z",
    "2022-12-30T23:59:60Z",
    "2017-01-01T23:59:60Z",
    "2022-01-11T00:59:60+01:00",
    "2016-12-31T00:59:60+01:00",
    "2017-01-01T15:59:60-08:00",
    "2022-01-10T12:34:56+24:00",
    "2022-01-10T12:34:56+01:60",
  ])("refuses %s, which does not exist", (text) => expect(parseTimestamp(text)).toBeUndefined());

  it.each(["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z"])(
    "refuses %s, whose year in UTC has no four digits",
    (text) => expect(parseTimestamp(text)).toBeUndefined(),
  );

  it.each([
    "",
    "2022-01-10",
    "2022-01-10T12:34:56",
    "2022-01-10 12:34:56Z",
    "2022-01-10T12:34Z",
    "2022-01-10T12:34:56.Z",
    "2022-01-10T12:34:56,789Z",
    "2022-01-10T12:34:56+0100",
    "2022-01-10T12:34:56+1",
    "2022-01-10T12:34:56 +01:00",
    "2022-01-10T12:34:56−01:00",
    "2022-1-10T12:34:56Z",
    "+002022-01-10T12:34:56Z",
    "12022-01-10T12:34:56Z",
    " 2022-01-10T12:34:56Z",
    "2022-01-10T12:34:56Z\n",
    "2022-01-10T12:34:56.789Z\n",
    "2022-01-10T12:34:56.789z ",
    "２０２２-01-10T12:34:56Z",
    "2022/01/10T12:34:56.000Z",
    "1641818096",
  ])("refuses %j, which is no date-time", (text) => expect(parseTimestamp(text)).toBeUndefined());

  it("gives the instant that Date gives, at any offset", () => {
    const anyOffset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    fc.assert(
      fc.property(
        fc.integer({ min: FIRST, max: LAST }),
        anyOffset,
        fc.nat(999),
        (instant, offset, beyond) => {
          const local = new Date(instant + offset * 60_000).toISOString();
          fc.pre(local.length === 24);
          const zone = `${offset < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
          expect(parseTimestamp(`${local.slice(0, -1)}${pad(beyond, 3)}${zone}`)).toBe(
            new Date(instant).toISOString(),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("takes exactly the days and times that exist", () => {
    fc.assert(
      fc.property(
        fc.nat(9999),
        fc.integer({ min: 0, max: 13 }),
        fc.integer({ min: 0, max: 32 }),
        fc.integer({ min: 0, max: 25 }),
        fc.constantFrom(0, 1, 59, 60, 61, 99),
        fc.constantFrom("Z", ".000Z", "+00:00", "+00"),
        (year, month, day, hour, minute, zone) => {
          const date = new Date(0);
          date.setUTCFullYear(year, month - 1, day);
          const exists =
            date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
          const text = `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:07${zone}`;
          const expected = exists && hour < 24 && minute < 60 ? `${text.slice(0, 19)}.000Z` : undefined;
          expect(parseTimestamp(text)).toBe(expected);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("never throws, and leaves what it has written as it is", () => {
    const nearly = fc.stringMatching(
      /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d(:?\d\d)?)?$/,
    );
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        const written = parseTimestamp(text);
        if (written === undefined) return;
        expect(written).toMatch(CANONICAL);
        expect(parseTimestamp(written)).toBe(written);
      }),
      { numRuns: 1000 },
    );
  });
});
