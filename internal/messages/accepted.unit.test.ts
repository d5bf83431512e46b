import { describe, expect, test } from "vitest";
import {
  type Accepted,
  acceptedForm,
  acceptedRanges,
  isNext,
  later,
  parseAccepted,
  readRanges,
} from "./accepted.ts";

describe("the number of an accepted event", () => {
  test.each<[string, Accepted]>([
    ["4711 1641817000123", { number: 4711, at: 1641817000123 }],
    ["4711.3/20 1641817000123", { number: 4711, line: 3, lines: 20, at: 1641817000123 }],
    ["4711.1/1 0", { number: 4711, line: 1, lines: 1, at: 0 }],
  ])("%s is read as it is written", (text, accepted) => {
    expect(parseAccepted(text)).toEqual(accepted);
    expect(acceptedForm(accepted)).toBe(text);
  });

  test.each([
    "",
    "4711",
    "0 1",
    "4711 ",
    " 4711 1",
    "4711.0/3 1",
    "4711.4/3 1",
    "4711.4/1001 1",
    "4711.1 1",
    "4711/3 1",
    "9007199254740993 1",
    "1e3 1",
  ])("%j is none", (text) => expect(parseAccepted(text)).toBeUndefined());

  test("is next to another by its message, or by its line within one", () => {
    const [plain, line] = [
      { number: 7, at: 1 },
      { number: 7, line: 2, lines: 3, at: 1 },
    ];
    expect(isNext(plain, { number: 8 })).toBe(true);
    expect(isNext(plain, { number: 9 })).toBe(false);
    expect(isNext(plain, { number: 8, line: 1, lines: 3 })).toBe(false);
    expect(isNext(line, { ...line, line: 3 })).toBe(true);
    expect(isNext(line, { ...line, line: 3, lines: 4 })).toBe(false);
    expect(isNext(line, { number: 8 })).toBe(false);
    expect([later(plain, 2), later(line, 1)]).toEqual([
      { ...plain, number: 9 },
      { ...line, line: 3 },
    ]);
  });
});

describe("the numbers of a bundle", () => {
  test.each<[readonly (string | undefined)[], string]>([
    [[], ""],
    [["41 1"], "41"],
    [["41 1", "42 5", "43 2", "47 2"], "41-43,47"],
    [["42 1", "41 1"], "42,41"],
    [["50.3/20 1", "50.4/20 1", "50.5/20 1", "51.1/2 1"], "50.3-5/20,51.1/2"],
    [["7 1", undefined, "8 1", "no number"], "7-8"],
  ])("%j is %s", (texts, ranges) => {
    expect(acceptedRanges(texts)).toBe(ranges);
    const numbers = texts
      .flatMap((text = "") => parseAccepted(text) ?? [])
      .map(({ at: _, ...number }) => number);
    expect(ranges === "" ? [] : readRanges(ranges, 256)).toEqual(numbers);
  });

  test.each([
    "",
    "0",
    "1,",
    "1-0",
    "1-257",
    "1-9007199254740993",
    "5.1",
    "5.1-4/3",
    "5.0/3",
    "1-200,1-200",
    "x".repeat(1_000_000),
    "1,".repeat(500_000),
  ])("%.20j is no list of at most 256", (text) => expect(readRanges(text, 256)).toBeUndefined());
});
