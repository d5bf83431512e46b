import { describe, expect, test } from "vitest";
import { compileDataCheck, RegistrationError } from "./data-check.ts";

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

  test("gives up on a regular expression that would go on for years", () => {
    const check = compileDataCheck({
      type: "object",
      properties: { a: { type: "string", pattern: "^(a|a)*$" } },
    });
    expect(check({ a: "aaa" })).toEqual([]);
    expect(check({ a: 1 })).toEqual([{ path: "/a", message: "must be string" }]);
    expect(check({ a: `${"a".repeat(60)}!` })).toEqual([
      { path: "", message: "cannot be checked against its schema within 500 ms" },
    ]);
  });
});
