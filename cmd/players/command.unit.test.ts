import { expect, test } from "vitest";
import { readCommandLine, UsageError } from "../../internal/service/command-line.ts";
import { playersCommand } from "./erase-command.ts";

const read = (line: string) => readCommandLine(playersCommand, line.split(" "));

test.each([
  ["import casino -", { do: "import", client: "casino", file: "-", dryRun: false }],
  ["import casino a.csv --dry-run", { do: "import", client: "casino", file: "a.csv", dryRun: true }],
  ["list casino", { do: "list", client: "casino", json: false }],
  ["list casino --json", { do: "list", client: "casino", json: true }],
  ["show casino 10 --json", { do: "show", client: "casino", id: 10, json: true }],
  ["erase casino 10", { do: "erase", client: "casino", id: 10, yes: false, json: false }],
  ["erase casino 10 -y --json", { do: "erase", client: "casino", id: 10, yes: true, json: true }],
  ["erased casino --json", { do: "erased", client: "casino", json: true }],
])("%s", (line, command) => {
  expect(read(line)).toEqual(command);
});

test.each([
  ["list Casino", ['<client> must be of the form [a-z0-9-]{1,40}, not "Casino".']],
  ["show casino 1.5", ['<id> must be an integer from 1 to 2^53-1, not "1.5".']],
  ["show casino 9007199254740992", [expect.stringMatching(/^<id> must be an integer/)]],
  ["erase casino", [expect.stringMatching(/^<id> is missing/)]],
  ["imprt casino -", ['There is no command "imprt": did you mean import?']],
])("%s is refused", (line, problems) => {
  const refused = (() => {
    try {
      return read(line);
    } catch (err) {
      return err;
    }
  })();
  expect(refused).toBeInstanceOf(UsageError);
  expect(refused).toMatchObject({ problems });
});
