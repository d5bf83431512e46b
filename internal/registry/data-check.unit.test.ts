import { describe, expect, test } from "vitest";
import { compileDataCheck, compileDataChecks, RegistrationError } from "./data-check.ts";

const draft07 = "http://json-schema.org/draft-07/schema#";
const draft2020 = "https://json-schema.org/draft/2020-12/schema";

function nested(levels: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

function refusal(schema: unknown): string {
  try {
    compileDataCheck(schema);
  } catch (err) {
    if (err instanceof RegistrationError) return err.message;
    throw err;
  }
  throw new Error("the schema was accepted");
}

describe("compileDataCheck", () => {
  test("says what is wrong with data, every place of it", () => {
    const check = compileDataCheck({
      type: "object",
      properties: { amount: { type: "integer" }, at: { type: "string", format: "date-time" } },
      required: ["amount", "id/~"],
      additionalProperties: false,
    });
    expect(check({ amount: 1, "id/~": 2 })).toEqual([
      { path: "", message: "must NOT have additional properties" },
    ]);
    expect(check({ amount: "1", at: "yesterday" })).toEqual([
      { path: "/id~1~0", message: "must have required property 'id/~'" },
      { path: "/amount", message: "must be integer" },
      { path: "/at", message: 'must match format "date-time"' },
    ]);
  });

  test("does not take inherited properties for the sender's", () => {
    const check = compileDataCheck({ type: "object", required: ["constructor"] });
    expect(check({})).toHaveLength(1);
  });

  test("reads each schema in its own dialect, 2020-12 when it names none", () => {
    const tuple = (extra: object) => ({
      type: "object",
      properties: { pair: { type: "array", ...extra } },
    });
    const pair = { pair: ["x"] };
    expect(compileDataCheck(tuple({ prefixItems: [{ type: "integer" }] }))(pair)).toHaveLength(1);
    expect(
      compileDataCheck({ $schema: draft2020, ...tuple({ prefixItems: [{ type: "integer" }] }) })(pair),
    ).toHaveLength(1);
    expect(
      compileDataCheck({ $schema: draft07, ...tuple({ items: [{ type: "integer" }] }) })(pair),
    ).toHaveLength(1);
    expect(refusal({ $schema: draft07, ...tuple({ prefixItems: [] }) })).toMatch(/unknown keyword/);
    expect(refusal({ $schema: "http://json-schema.org/draft-04/schema#", type: "object" })).toMatch(
      /^The schema must have a \$schema of/,
    );
  });

  test("lets a schema refer to its own parts, and two schemas have one $id", () => {
    const schema = (type: string) => ({
      $id: "https://example.com/transaction",
      type: "object",
      properties: { amount: { $ref: "#/$defs/amount" } },
      $defs: { amount: { type } },
    });
    const [integers, texts] = [compileDataCheck(schema("integer")), compileDataCheck(schema("string"))];
    expect(integers({ amount: 1 })).toEqual([]);
    expect(texts({ amount: 1 })).toEqual([{ path: "/amount", message: "must be string" }]);
  });

  test("a schema cannot take another's names, or those of JSON Schema itself", () => {
    const named = (type: string) => ({
      type: "object",
      properties: {
        a: { $id: "https://example.com/a", type, $anchor: "a" },
        b: { $ref: "https://example.com/a#a" },
      },
    });
    const [integers, texts] = [compileDataCheck(named("integer")), compileDataCheck(named("string"))];
    expect(integers({ a: 1, b: 1 })).toEqual([]);
    expect(texts({ a: 1, b: 1 })).toEqual([
      { path: "/a", message: "must be string" },
      { path: "/b", message: "must be string" },
    ]);
    expect(refusal({ type: "object", $id: draft2020 })).toMatch(/^The schema cannot be compiled/);
    expect(refusal({ $schema: draft07, type: "object", $id: draft07 })).toMatch(
      /^The schema cannot be compiled/,
    );
    for (const $schema of [draft2020, draft07]) compileDataCheck({ $schema, type: "object" });
  });

  test.each([
    [[], "The schema must be a JSON object."],
    ["{}", "The schema must be a JSON object."],
    [true, "The schema must be a JSON object."],
    [{ type: "string" }, /^The schema must have "type": "object" at its top/],
    [{ properties: {} }, /^The schema must have "type": "object" at its top/],
    [{ type: ["object", "null"] }, /^The schema must have "type": "object" at its top/],
    [{ type: "object", description: "x".repeat(65_536) }, "The schema must be at most 64 KiB."],
    [
      { type: "object", description: "\0" },
      /^The schema cannot be kept: \/description must not contain U\+0000/,
    ],
    [
      { type: "object", properties: { a: { type: "int" } } },
      /^The schema cannot be compiled: .*\/properties\/a\/type/,
    ],
    [{ type: "object", propertys: {} }, /^The schema cannot be compiled: .*unknown keyword: "propertys"/],
    [
      { type: "object", properties: { a: { format: "dat" } } },
      /^The schema cannot be compiled: unknown format "dat"/,
    ],
    [{ type: "object", properties: { a: { pattern: "(" } } }, /^The schema cannot be compiled: /],
    [
      { type: "object", default: nested(20_000) },
      /^The schema cannot be kept: must be at most 64 levels deep/,
    ],
    [{ type: "object", $async: true }, /^The schema cannot be compiled: \$async is not supported/],
    [
      { type: "object", properties: { a: { $ref: "https://example.com/other.json" } } },
      /^The schema refers to "https:\/\/example.com\/other.json", which is not in it/,
    ],
    [{ type: "object", properties: { a: { $ref: "#/$defs/a" } } }, /^The schema refers to "#\/\$defs\/a"/],
  ])("refuses schema %#", (schema, sentence) => {
    expect(refusal(schema)).toMatch(sentence);
  });

  test("an asynchronous part cannot let everything pass", () => {
    expect(
      refusal({
        type: "object",
        properties: { a: { $ref: "#/$defs/a" } },
        $defs: { a: { $async: true, type: "integer" } },
      }),
    ).toMatch(/^The schema cannot be compiled/);
  });

  test("a circle of references refuses data instead of ending the process", () => {
    const check = compileDataCheck({
      type: "object",
      properties: { a: { $ref: "#/$defs/a" } },
      $defs: { a: { allOf: [{ $ref: "#/$defs/a" }] } },
    });
    expect(check({})).toEqual([]);
    expect(check({ a: 1 })).toEqual([
      { path: "", message: "cannot be checked: its schema refers to itself" },
    ]);
  });

  test("stops at the first flaw, or finds all of them", () => {
    const { first, all } = compileDataChecks({ type: "object", required: ["a", "b", "c"] });
    expect(first({})).toHaveLength(1);
    expect(all({})).toHaveLength(3);
    expect(all({ a: 1, b: 1, c: 1 })).toEqual([]);
  });

  test("names at most 20 flaws", () => {
    const check = compileDataCheck({ type: "object", additionalProperties: { type: "integer" } });
    expect(check(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, "x"])))).toHaveLength(20);
  });

  test("matches patterns in time by the length of the text", () => {
    const check = compileDataCheck({
      type: "object",
      properties: { mail: { pattern: "^([a-zA-Z0-9_.+-]+)+@([a-zA-Z0-9-]+\\.)+[a-zA-Z]{2,}$" } },
      patternProperties: { "^(k|k)*$": { type: "integer" } },
    });
    expect(check({ mail: "first.last@mail.example.com" })).toEqual([]);
    expect(check({ mail: "x".repeat(100_000) })).toHaveLength(1);
    expect(check({ ["k".repeat(60)]: "x" })).toHaveLength(1);
    expect(check({ [`${"k".repeat(60)}!`]: "x" })).toEqual([]);
  });

  test.each([
    ["^\\p{Lu}\\d$", "É7", "é7"],
    ["^\\u00e9$", "é", "e"],
    ["^(?<year>\\d{4})-\\d\\d$", "2022-01", "22-01"],
    ["^[\\w.-]+$", "a-b.c", "a b"],
    ["^.$", "🎲", "🎲🎲"],
    ["^\\ud83d\\ude00$", "😀", "😁"],
    ["b", "abc", "ac"],
  ])("reads the pattern %s as JavaScript does", (pattern, good, bad) => {
    const check = compileDataCheck({ type: "object", properties: { a: { type: "string", pattern } } });
    expect(check({ a: good })).toEqual([]);
    expect(check({ a: bad })).toHaveLength(1);
  });

  test.each(["^(?=.*a)b", "(?!x)", "(?<=a)b", "(?<!a)b", "^(a)\\1$", "^(?<x>a)\\k<x>$", "a{2000}b"])(
    "refuses the pattern %s, which RE2 does not know",
    (pattern) => {
      expect(refusal({ type: "object", properties: { a: { pattern } } })).toContain(
        `The schema cannot be compiled: the pattern ${pattern} is none of RE2 (`,
      );
      expect(refusal({ type: "object", patternProperties: { [pattern]: true } })).toContain("is none of RE2");
    },
  );

  test("takes prices in cents for what they are", () => {
    const check = compileDataCheck({
      type: "object",
      properties: { price: { type: "number", multipleOf: 0.01 } },
    });
    for (const price of [19.99, 1.11, 8.69, 143.48, 0.94, 0.93, 1_070_468.14, 10_000_000_000.01])
      expect(check({ price })).toEqual([]);
    expect(check({ price: 0.005 })).toEqual([{ path: "/price", message: "must be multiple of 0.01" }]);
    expect(refusal({ type: "object", properties: { a: { multipleOf: 0 } } })).toMatch(
      /exclusiveMinimum|must be > 0/,
    );
  });
});
