import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStorableText, unstorable } from "./storable.ts";

const nested = (levels: number, leaf: unknown): object =>
  Array.from({ length: levels - 1 }).reduce<object>((inner, _, i) => (i % 2 === 0 ? [inner] : { k: inner }), {
    leaf,
  });

describe("isStorableText", () => {
  it.each(["", "plain", "é😀", "\u0001\u001f", "\uffff"])("%j can be kept", (text) =>
    expect(isStorableText(text)).toBe(true),
  );
  it.each(["\0", "a\0b", "\ud83d", "\ude00", "a\ud83d b", "\ude00\ud83d"])("%j cannot", (text) =>
    expect(isStorableText(text)).toBe(false),
  );
});

describe("unstorable", () => {
  const message = "must not contain U+0000 or a lone surrogate";

  it.each([
    [{ a: "\0" }, "/data/a", message],
    [{ a: { "b/c": ["x", "\ud83d"] } }, "/data/a/b~1c/1", message],
    [{ a: [{ "\0": 1 }] }, "/data/a/0", `${message} in a key`],
    [{ "\udc00": 1 }, "/data", `${message} in a key`],
    [{ ["k".repeat(200)]: { a: "\0" } }, "/data", message],
  ])("finds the text in %j", (data, path, expected) =>
    expect(unstorable(data, "/data")).toEqual({ path, message: expected }),
  );

  it("finds a number that would turn into null", () => {
    expect(unstorable(JSON.parse('{"a":[1e308,1e309]}'), "/data")).toEqual({
      path: "/data/a/1",
      message: "must be within the range of a double",
    });
    expect(unstorable({ a: -Infinity }, "/data")?.path).toBe("/data/a");
  });

  it("finds nothing in other objects", () => {
    expect(unstorable({}, "/data")).toBeUndefined();
    expect(unstorable({ a: [1, null, true, "x", { b: "😀" }], "": {} }, "/data")).toBeUndefined();
    expect(unstorable(JSON.parse('{"__proto__":{"__proto__":"x"},"length":-1}'), "/data")).toBeUndefined();
  });

  it("looks below a __proto__ key", () => {
    expect(unstorable(JSON.parse('{"__proto__":{"a":"\\u0000"}}'), "/data")?.path).toBe("/data/__proto__/a");
  });

  it("allows 64 levels", () => {
    expect(unstorable(nested(64, 1), "/data")).toBeUndefined();
    expect(unstorable(nested(65, 1), "/data")).toEqual({
      path: "/data",
      message: "must be at most 64 levels deep",
    });
    expect(unstorable(nested(500_000, 1), "/data")).toBeDefined();
  });

  it("finds one bad text wherever it stands", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(3), fc.string({ maxLength: 5 })), { maxLength: 20 }),
        fc.constantFrom("\0", "x\ud800", "\udfff"),
        (keys, bad) => {
          const wrap = (leaf: unknown) =>
            keys.reduceRight<object>(
              (inner, key) =>
                typeof key === "number" ? [...Array(key).fill("ok"), inner] : { a: "ok", [key]: inner },
              { leaf },
            );
          expect(unstorable(wrap(bad), "")?.message).toBe(message);
          expect(unstorable(wrap("good"), "")).toBeUndefined();
        },
      ),
    );
  });
});
