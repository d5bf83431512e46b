import { describe, expect, test } from "vitest";
import { UsageError } from "../command-line.ts";
import { readCommand } from "./command.ts";

const read = (line: string) => readCommand(line === "" ? [] : line.split(" "));

describe("the command line", () => {
  test.each([
    ["", { do: "help" }],
    ["replay --help", { do: "help" }],
    ["list", { do: "list", filter: {}, limit: 20 }],
    [
      "list --reason invalid_json --step currency --client casino --limit 5",
      { do: "list", filter: { reason: "invalid_json", step: "currency", client: "casino" }, limit: 5 },
    ],
    ["show 12", { do: "show", seq: 12, raw: false }],
    ["show 12 --raw", { do: "show", seq: 12, raw: true }],
    ["replay 12", { do: "replay", target: { seq: 12 }, payload: undefined, dryRun: false }],
    ["replay 12 --payload a.json", { do: "replay", target: { seq: 12 }, payload: "a.json", dryRun: false }],
    [
      "replay --all --client NOBODY --dry-run",
      { do: "replay", target: { all: { client: "NOBODY" } }, payload: undefined, dryRun: true },
    ],
    ["discard 12", { do: "discard", target: { seq: 12 }, yes: false }],
    ["discard --all --yes", { do: "discard", target: { all: {} }, yes: true }],
  ])("%s", (line, command) => {
    expect(read(line)).toEqual(command);
  });

  test.each([
    ["remove 1", 'There is no command "remove".'],
    ["show", "It is: dead-letters show <seq> [--raw]."],
    [
      "show twelve",
      'A letter\'s number must be an integer from 1 on, as "dead-letters list" shows them, not "twelve".',
    ],
    [
      "show 0",
      'A letter\'s number must be an integer from 1 on, as "dead-letters list" shows them, not "0".',
    ],
    [
      "show 9007199254740993",
      'A letter\'s number must be an integer from 1 on, as "dead-letters list" shows them, not "9007199254740993".',
    ],
    ["replay", "Say which: dead-letters replay <seq>, or --all."],
    ["discard --yes", "Say which: dead-letters discard <seq>, or --all."],
    ["replay 1 2", "It is: dead-letters replay <seq> [--dry-run]."],
    ["replay 1 --all", "It is: dead-letters replay --all [<filters>] [--dry-run]."],
    ["replay 1 --client casino", '--client does not belong to "dead-letters replay <seq>".'],
    ["replay --all --payload a.json", '--payload does not belong to "dead-letters replay --all".'],
    ["replay 1 --yes", '--yes does not belong to "dead-letters replay <seq>".'],
    ["list --raw", '--raw does not belong to "dead-letters list".'],
    ["list --limit 0", '--limit must be an integer from 1 to 10000, not "0".'],
    ["list --client a.b", '--client must be the name of a client, such as casino, not "a.b".'],
    ["list --step >", '--step must be the name of a step, such as currency, not ">".'],
    ["list --force", "Unknown option '--force'."],
  ])("%s is refused in one sentence", (line, sentence) => {
    expect(() => read(line)).toThrow(new UsageError(sentence));
  });

  test("a reason that there is not names those that there are", () => {
    expect(() => read("list --reason broken")).toThrow(
      /^--reason must be one of invalid_json, .*, not "broken"\.$/,
    );
  });
});
