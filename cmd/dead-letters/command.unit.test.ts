import { describe, expect, test } from "vitest";
import { readCommandLine, UsageError } from "../../internal/service/command-line.ts";
import { deadLettersCommand } from "./command.ts";

const read = (line: string) => readCommandLine(deadLettersCommand, line.split(" ").filter(Boolean));

describe("the command line", () => {
  test.each([
    ["list", { do: "list", filter: {}, limit: 20, json: false }],
    [
      "list --reason invalid_json --step currency --client casino --limit 5 --json",
      {
        do: "list",
        filter: { reason: "invalid_json", step: "currency", client: "casino" },
        limit: 5,
        json: true,
      },
    ],
    ["show 12", { do: "show", seq: 12, raw: false, json: false }],
    ["show 12 --raw", { do: "show", seq: 12, raw: true, json: false }],
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

  const number = '<seq> must be an integer from 1 on, as "dead-letters list" shows it, not';
  test.each([
    ["remove 1", ['There is no command "remove": "croupier dead-letters --help" lists them.']],
    ["reply 1", ['There is no command "reply": did you mean replay?']],
    ["show", ["<seq> is missing: it is croupier dead-letters show <seq> [flags]."]],
    ["show twelve", [`${number} "twelve".`]],
    ["show 0", [`${number} "0".`]],
    ["show 9007199254740993", [`${number} "9007199254740993".`]],
    ["show 1 --raw --json", ["show takes --raw or --json, not both."]],
    ["replay", ["Say which: dead-letters replay <seq>, or --all."]],
    ["discard --yes", ["Say which: dead-letters discard <seq>, or --all."]],
    ["replay 1 2", ['"2" is not expected: it is croupier dead-letters replay [<seq>] [flags].']],
    ["replay 1 --all", ["replay takes <seq> or --all, not both."]],
    ["replay 1 --client casino", ["--client goes with --all only."]],
    ["replay --all --payload a.json", ["--payload goes with <seq> only."]],
    ["replay 1 --yes", ['There is no flag --yes: "croupier dead-letters replay --help" lists them.']],
    ["replay 1 --dryrun", ["There is no flag --dryrun: did you mean --dry-run?"]],
    ["list --raw", ['There is no flag --raw: "croupier dead-letters list --help" lists them.']],
    ["list --limit 0", ['--limit must be an integer from 1 to 10000, not "0".']],
    ["list --client a.b", ['--client must be the name of a client, such as casino, not "a.b".']],
    ["list --step >", ['--step must be the name of a step, such as currency, not ">".']],
  ])("%s is refused", (line, problems) => {
    expect(() => read(line)).toThrow(new UsageError(problems));
  });

  test("a reason that there is not names those that there are", () => {
    expect(() => read("list --reason broken")).toThrow(
      /^--reason must be one of invalid_json, .*, not "broken"\.$/,
    );
  });
});
