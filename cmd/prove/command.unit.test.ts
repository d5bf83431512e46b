import { describe, expect, test } from "vitest";
import { readCommandLine, UsageError } from "../../internal/service/command-line.ts";
import { proveCommand } from "./command.ts";

const readCommand = (args: readonly string[]) => readCommandLine(proveCommand, args);

describe("the command line", () => {
  const none = { json: false, waitMs: undefined, sinceMs: undefined, names: 10, strict: false };
  test.each([
    ["", none],
    ["--json --wait 30s", { ...none, json: true, waitMs: 30_000 }],
    ["--strict", { ...none, strict: true }],
    ["--since 2h --names 0", { ...none, sinceMs: 7_200_000, names: 0 }],
  ])("reads: %s", (line, command) => {
    expect(readCommand(line.split(" ").filter(Boolean))).toEqual(command);
  });

  test.each([
    ["--wait", /--wait/],
    ["--wait soon", '--wait must be a duration such as 90s, 15m, 24h or 30d, at most 36500d, not "soon".'],
    ["--names many", '--names must be an integer from 0 to 100000, not "many".'],
    ["--quick", /--quick/],
    ["now", /now/],
  ])("refuses: %s", (line, sentence) => {
    expect(() => readCommand(line.split(" "))).toThrow(sentence);
    expect(() => readCommand(line.split(" "))).toThrow(UsageError);
  });
});
