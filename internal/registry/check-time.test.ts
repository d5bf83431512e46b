import { describe, expect, test } from "vitest";
import { fieldError } from "../casino/field-error.ts";
import { costlyPart, withinTime } from "./check-time.ts";

describe("costlyPart", () => {
  test.each([
    "^[A-Z]{3}$",
    "^[a-z0-9-]{1,40}$",
    "^\\d{4}-\\d{2}-\\d{2}$",
    "^(?:card|bank_transfer)$",
    "^tx_[0-9a-f]+$",
    "[*+?]",
    "\\(\\)\\*",
    "EUR",
  ])("knows that %s takes one pass", (pattern) => {
    expect(costlyPart({ properties: { a: { type: "string", pattern } } })).toBeUndefined();
    expect(costlyPart({ patternProperties: { [pattern]: true } })).toBeUndefined();
  });

  test.each([
    "^(a+)+$",
    "^(a|a)*$",
    "^(a|aa){40}$",
    "^(a|b)(a|b)$",
    "^a*a*b$",
    "\\s+$",
    "^a|b*c",
    "^(a*)\\1b$",
    "^(?<x>a*)\\k<x>b$",
    "^(?=a*)(b|c)$",
    "^[a-z]+(-[a-z]+)*$",
  ])("does not trust %s", (pattern) => {
    expect(costlyPart({ properties: { a: { pattern } } })).toBe(`pattern ${pattern}`);
    expect(costlyPart({ allOf: [{ patternProperties: { [pattern]: true } }] })).toBe(
      `patternProperties ${pattern}`,
    );
  });

  test("does not trust distinct items and the format url, and nothing else", () => {
    expect(costlyPart({ properties: { a: { type: "string", format: "url" } } })).toBe("format url");
    expect(costlyPart({ properties: { a: { type: "string", format: "uri" } } })).toBeUndefined();
    expect(costlyPart({ properties: { a: { items: { type: "object" }, uniqueItems: true } } })).toBe(
      "uniqueItems",
    );
    expect(
      costlyPart({ properties: { pattern: { type: "string" }, uniqueItems: { type: "boolean" } } }),
    ).toBe(undefined);
  });
});

describe("withinTime", () => {
  const late = () => [fieldError("", "took too long")];

  test("gives what the check gives, and passes on what it throws", () => {
    const check = withinTime(10_000, (data) => [fieldError("/a", String(data))], late);
    expect(check(7)).toEqual([{ path: "/a", message: "7" }]);
    const broken = withinTime(
      10_000,
      () => {
        throw new RangeError("too deep");
      },
      late,
    );
    expect(() => broken(7)).toThrow(new RangeError("too deep"));
  });

  test("ends a regular expression that would go on for years", () => {
    const check = withinTime(50, (data) => (/^(a|a)*$/.test(String(data)) ? [] : []), late);
    expect(check(`${"a".repeat(60)}!`)).toEqual([{ path: "", message: "took too long" }]);
    expect(check("a")).toEqual([]);
  });
});
