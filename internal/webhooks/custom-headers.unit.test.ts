import { describe, expect, test } from "vitest";
import type { FieldError } from "../casino/field-error.ts";
import { readCustomHeaders } from "./custom-headers.ts";

function read(given: Readonly<Record<string, string>>) {
  const errors: FieldError[] = [];
  return { headers: readCustomHeaders(given, errors), errors };
}

test("are kept under their names in lower case", () => {
  expect(read({ Authorization: "Bearer x y", "X-Casino": "1" })).toEqual({
    headers: { authorization: "Bearer x y", "x-casino": "1" },
    errors: [],
  });
});

describe("are refused", () => {
  test.each([
    ...["webhook-id", "Webhook-Signature", "webhook-other", "content-type", "Content-Length", "Host"],
    ...["transfer-encoding", "connection", "expect", "upgrade", "proxy-authorization", "user-agent"],
  ])("where they are ours: %s", (name) => {
    expect(read({ [name]: "x" }).errors).toEqual([
      { path: `/headers/${name}`, message: "must not be a header that the sender sets" },
    ]);
  });

  test.each([
    ["a line break in the value", { a: "x\r\nwebhook-id: y" }],
    ["a line break in the name", { "a\r\nb": "x" }],
    ["a colon in the name", { "a:b": "x" }],
    ["no name", { "": "x" }],
    ["no value", { a: "" }],
    ["a value beyond ASCII", { a: "é" }],
    ["a long value", { a: "x".repeat(2_003) }],
    ["a name twice", { a: "x", A: "y" }],
    ["what is shown in place of a value", { a: "***" }],
    ["too many", Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`h${i}`, "x"]))],
    ["too much", Object.fromEntries(Array.from({ length: 3 }, (_, i) => [`h${i}`, "x".repeat(1_900)]))],
  ])("for %s", (_what, given) => {
    expect(read(given as Record<string, string>).errors).toHaveLength(1); // each value is a text
  });
});
