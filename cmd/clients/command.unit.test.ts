import { describe, expect, test } from "vitest";
import { readCommandLine, TextAsked, UsageError } from "../../internal/service/command-line.ts";
import { clientsCommand } from "./command.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const read = (line: string) =>
  readCommandLine(
    clientsCommand(() => now),
    line.split(" ").filter(Boolean),
  );

describe("the command line", () => {
  test.each([
    ["add lucky-7", { do: "add", client: "lucky-7", name: "lucky-7" }],
    ["add lucky --name Lucky", { do: "add", client: "lucky", name: "Lucky" }],
    ["list", { do: "list", json: false }],
    ["list --json", { do: "list", json: true }],
    [
      "keys create casino till_1",
      { do: "create key", scope: { client: "casino", source: "till_1" }, expiresAt: null },
    ],
    ["keys create --operator", { do: "create key", scope: "operator", expiresAt: null }],
    [
      "keys create casino till --expiry 90d",
      {
        do: "create key",
        scope: { client: "casino", source: "till" },
        expiresAt: new Date("2026-04-01T00:00:00Z"),
      },
    ],
    [
      "keys create --operator --expiry 2026-01-01T02:00:00+01:00",
      { do: "create key", scope: "operator", expiresAt: new Date("2026-01-01T01:00:00Z") },
    ],
    ["keys list", { do: "list keys", client: undefined, json: false }],
    ["keys list casino --json", { do: "list keys", client: "casino", json: true }],
    ["keys revoke cr_12345678", { do: "revoke key", prefix: "cr_12345678", yes: false }],
    ["disable casino", { do: "disable", client: "casino", yes: false }],
    ["enable casino", { do: "enable", client: "casino" }],
    ["remove casino -y", { do: "remove", client: "casino", yes: true }],
    ["nats acme-2", { do: "nats", client: "acme-2" }],
  ])("%s", (line, command) => {
    expect(read(line)).toEqual(command);
  });

  test.each([
    ["", "croupier clients <command> [flags]"],
    ["--help", "croupier clients <command> [flags]"],
    ["keys", "croupier clients keys <command> [flags]"],
    ["keys create --help", "croupier clients keys create [<client>] [<source>] [flags]"],
    ["--version", /^croupier \d+\.\d+\.\d+\n$/],
  ])('"%s" asks for a text', (line, text) => {
    const asked = read(line);
    expect(asked).toBeInstanceOf(TextAsked);
    expect(asked instanceof TextAsked && asked.text).toMatch(text);
  });

  const form = "[a-z0-9-]{1,40}";
  test.each([
    ["delete casino", ['There is no command "delete": "croupier clients --help" lists them.']],
    ["lsit", ['There is no command "lsit": did you mean list?']],
    ["keys show", ['There is no command "show": "croupier clients keys --help" lists them.']],
    ["keys revok cr_1", ['There is no command "revok": did you mean revoke?']],
    ["add", ["<client> is missing: it is croupier clients add <client> [flags]."]],
    ["add a b", ['"b" is not expected: it is croupier clients add <client> [flags].']],
    ["add Casino", [`<client> must be of the form ${form}, not "Casino".`]],
    [
      "list --name x",
      [
        'There is no flag --name: "croupier clients list --help" lists them.',
        '"x" is not expected: it is croupier clients list [flags].',
      ],
    ],
    ["list --jsno", ["There is no flag --jsno: did you mean --json?"]],
    ["--jsno=1 list", ["There is no flag --jsno: did you mean --json?"]],
    ["keys create casino", ["It is: croupier clients keys create <client> <source>, or --operator alone."]],
    ["keys create casino a:b", ['<source> must be of the form [A-Za-z0-9._-]{1,64}, not "a:b".']],
    [
      "keys create --operator casino till",
      ["It is: croupier clients keys create <client> <source>, or --operator alone."],
    ],
    [
      "keys create casino till --expiry 2025-01-01T00:00:00Z",
      ['--expiry must lie in the future, not "2025-01-01T00:00:00Z".'],
    ],
    ["keys create casino till --expiry", ["--expiry needs a value."]],
    ["keys create casino till --expiry --operator", ['--expiry must have a value, not "--operator".']],
    ["nats", ["<client> is missing: it is croupier clients nats <client> [flags]."]],
    ["nats Acme.2", [`<client> must be of the form ${form}, not "Acme.2".`]],
    ["keys revoke", ["<prefix> is missing: it is croupier clients keys revoke <prefix> [flags]."]],
    [
      "add Casino --nmae x --force more",
      [
        "There is no flag --nmae: did you mean --name?",
        'There is no flag --force: "croupier clients add --help" lists them.',
        '"more" is not expected: it is croupier clients add <client> [flags].',
        `<client> must be of the form ${form}, not "Casino".`,
      ],
    ],
  ])("%s is refused, with all that is wrong", (line, problems) => {
    expect(() => read(line)).toThrow(new UsageError(problems));
  });

  test("an expiry that is none names both forms", () => {
    expect(() => read("keys create casino till --expiry soon")).toThrow(
      /^--expiry must be a duration .*not "soon"\.$/,
    );
  });
});
