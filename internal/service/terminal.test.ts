import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forTerminal, onOneLine } from "./terminal.ts";

test.each([
  ["\u001b]0;owned\u0007", "\\u001b]0;owned\\u0007"],
  ["\u009b2J", "\\u009b2J"],
  ["a\u007fb\rc", "a\\u007fb\\u000dc"],
  ["pay \u202e001", "pay \\u202e001"],
  ["zero\u200bwidth", "zero\\u200bwidth"],
  ["Crème brûlée, 日本 🎲", "Crème brûlée, 日本 🎲"],
])("what could steer a terminal becomes an escape: %j", (text, shown) => {
  expect(forTerminal(text)).toBe(shown);
  expect(onOneLine(text)).toBe(shown);
});

test("line breaks and tabs stay, except in one line", () => {
  expect(forTerminal("a\n\tb")).toBe("a\n\tb");
  expect(onOneLine("a\n\tb")).toBe("a\\u000a\\u0009b");
});

/** Every call of `write` on a standard stream in commands and services. */
const writes = globSync(["cmd/**/*.ts", "internal/**/*.ts"], {
  cwd: join(import.meta.dirname, "../.."),
  exclude: ["**/*.test.ts", "**/*.fixture.ts"],
}).flatMap((file) =>
  [
    ...readFileSync(join(import.meta.dirname, "../..", file), "utf8").matchAll(
      /process\.(?:stdout|stderr)\.write\((.*)$/gm,
    ),
  ].map(([, written = ""]) => `${file}: ${written.replaceAll("$", "")}`),
);

test("no command writes what came from outside past it", () => {
  const past = writes.filter((write) => !/forTerminal\(/.test(write));
  // A command's own arguments and our help texts are safe.
  expect(past.toSorted()).toEqual([
    "cmd/up/main.ts: `up: {hint}\\n`);",
    "cmd/up/main.ts: `up: {listed(problems)}`);",
    "cmd/up/main.ts: options.text);",
    'internal/service/confirm.ts: "\\n");',
    "internal/service/lifecycle.ts: `{name}: {listed(problems)}`);",
    "internal/service/lifecycle.ts: flags.text);",
    "internal/service/run-command.ts: command.text);",
  ]);
  // Everything else is written by `runCommand`.
  expect(writes.filter((write) => !past.includes(write))).toHaveLength(2);
});
