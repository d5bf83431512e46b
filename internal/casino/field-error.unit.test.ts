import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeKey, fieldError, fromAjv } from "./field-error.ts";

describe("fromAjv", () => {
  const ajv = new Ajv({ allErrors: true });
  const check = ajv.compile({
    type: "object",
    required: ["a/b"],
    properties: { n: { type: "integer" }, o: { type: "object", required: ["~"] } },
  });

  it("names the place of each error, and the key that is missing", () => {
    check({ n: 1.5, o: {} });
    expect(fromAjv(check.errors)).toEqual([
      { path: "/a~1b", message: "must have required property 'a/b'" },
      { path: "/n", message: "must be integer" },
      { path: "/o/~0", message: "must have required property '~'" },
    ]);
  });

  it("is empty where there are none", () => {
    check({ "a/b": 1 });
    expect(fromAjv(check.errors)).toEqual([]);
    expect(fromAjv(undefined)).toEqual([]);
  });
});

describe("fieldError", () => {
  it("keeps a path of 100 characters", () => {
    const path = `/data/${"k".repeat(94)}`;
    expect(fieldError(path, "must be integer")).toEqual({ path, message: "must be integer" });
  });

  it("ends a longer one at an ancestor", () => {
    expect(fieldError(`/data/a/${"k".repeat(100)}/b`, "x").path).toBe("/data/a");
    expect(fieldError(`/${"k".repeat(100)}`, "x").path).toBe("");
    expect(fieldError("k".repeat(200), "x").path).toBe("");
  });

  it("never names another place than the one given or an ancestor of it", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { maxLength: 12 }), (keys) => {
        const path = keys.map((key) => `/${escapeKey(key)}`).join("");
        const short = fieldError(path, "x").path;
        expect(short.length).toBeLessThanOrEqual(100);
        expect(`${path}/`.startsWith(`${short}/`)).toBe(true);
      }),
    );
  });
});
