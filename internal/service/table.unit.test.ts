import { expect, test } from "vitest";
import { table } from "./table.ts";

test("columns stand under each other, without spaces at the end of a line", () => {
  const rows = [
    ["1", "unknown_type", "casino"],
    ["120", "x", ""],
  ];
  expect(table(rows, { head: ["seq", "reason", "client"] })).toBe(
    "seq  reason        client\n1    unknown_type  casino\n120  x\n",
  );
  expect(table(rows, { indent: "  ", right: (column) => column === 0, gap: " | " })).toBe(
    "    1 | unknown_type | casino\n  120 | x            |\n",
  );
});

test("rows may be of different lengths, and none is a table of nothing", () => {
  expect(table([["a"], ["b", "c"]])).toBe("a\nb  c\n");
  expect(table([])).toBe("");
});

test("what comes from outside cannot steer the terminal or break a line", () => {
  expect(table([["a\nb\u001b[2J", "c"]])).toBe("a\\u000ab\\u001b[2J  c\n");
});
