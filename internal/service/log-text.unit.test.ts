import { expect, test } from "vitest";
import { logEntry, wholeLogText } from "./log-text.ts";

const base = { time: "2026-11-28T10:11:12.345Z", service: "generator", pid: 7, msg: "generating" };

test.each([
  [
    { level: "info", source: "generator-1", seed: 5 },
    "10:11:12 generator: generating source=generator-1 seed=5\n",
  ],
  [
    { level: "warn", because: "no\u001b[31m one" },
    "10:11:12 generator WARN: generating (no\\u001b[31m one)\n",
  ],
  [
    { level: "warn", err: { message: "it is away", stack: "x" } },
    "10:11:12 generator WARN: generating (it is away)\n",
  ],
  [
    { level: "fatal", err: { message: "generating", stack: "Error\n    at x" } },
    "10:11:12 generator FATAL: generating\nError\n    at x\n",
  ],
  [{ level: "info", types: ["a", "b"] }, '10:11:12 generator: generating types=["a","b"]\n'],
])("%j is read as %j", (more, text) => {
  expect(wholeLogText({ ...base, ...more })).toBe(text);
});

test("what is no line of a log is none", () => {
  for (const line of ["node:internal crash", "[]", "{}", "null", ""]) expect(logEntry(line)).toBeUndefined();
  expect(logEntry(JSON.stringify({ ...base, level: "info" }))).toMatchObject(base);
});
