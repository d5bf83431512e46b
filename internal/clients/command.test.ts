import { describe, expect, test } from "vitest";
import { UsageError } from "../command-line.ts";
import { readCommand } from "./command.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const read = (line: string) => readCommand(line === "" ? [] : line.split(" "), now);

describe("the command line", () => {
  test.each([
    ["", { do: "help" }],
    ["--help", { do: "help" }],
    ["keys create --help", { do: "help" }],
    ["add lucky-7", { do: "add", client: "lucky-7", name: "lucky-7" }],
    ["add lucky --name Lucky", { do: "add", client: "lucky", name: "Lucky" }],
    ["list", { do: "list" }],
    [
      "keys create casino till_1",
      { do: "create key", scope: { client: "casino", source: "till_1" }, expiresAt: null },
    ],
    ["keys create --operator", { do: "create key", scope: "operator", expiresAt: null }],
    [
      "keys create casino till --expires 90d",
      {
        do: "create key",
        scope: { client: "casino", source: "till" },
        expiresAt: new Date("2026-04-01T00:00:00Z"),
      },
    ],
    [
      "keys create --operator --expires 2026-01-01T02:00:00+01:00",
      { do: "create key", scope: "operator", expiresAt: new Date("2026-01-01T01:00:00Z") },
    ],
    ["keys list", { do: "list keys", client: undefined }],
    ["keys list casino", { do: "list keys", client: "casino" }],
    ["keys revoke cr_12345678", { do: "revoke key", prefix: "cr_12345678" }],
  ])("%s", (line, command) => {
    expect(read(line)).toEqual(command);
  });

  test.each([
    ["remove casino", 'There is no command "remove".'],
    ["keys", 'There is no command "keys".'],
    ["keys show", 'There is no command "keys show".'],
    ["add", "It is: clients add <client> [--name <name>]."],
    ["add a b", "It is: clients add <client> [--name <name>]."],
    ["add Casino", 'A client must be of the form [a-z0-9-]{1,40}, not "Casino".'],
    ["list --name x", '--name does not belong to "clients list".'],
    ["keys create casino", "It is: clients keys create <client> <source> [--expires <when>]."],
    ["keys create casino a:b", 'A source must be of the form [A-Za-z0-9._-]{1,64}, not "a:b".'],
    ["keys create --operator casino till", "It is: clients keys create --operator [--expires <when>]."],
    [
      "keys create casino till --expires 2025-01-01T00:00:00Z",
      '--expires must lie in the future, not at "2025-01-01T00:00:00Z".',
    ],
    ["keys revoke", "It is: clients keys revoke <prefix>."],
    ["list --force", "Unknown option '--force'."],
  ])("%s is refused in one sentence", (line, sentence) => {
    expect(() => read(line)).toThrow(new UsageError(sentence));
  });

  test("an expiry that is none names both forms", () => {
    expect(() => read("keys create casino till --expires soon")).toThrow(
      /^--expires must be a duration .*not "soon"\.$/,
    );
  });
});
