import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { readCommandLine, UsageError } from "../../internal/service/command-line.ts";
import { silent } from "../../test/harness/broker.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { eventTypesCommand } from "./command.ts";

const DATABASE_URL = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrateWithSamples(db);
  },
});
const folder = tempFolder("schemas");

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

async function run(...args: string[]) {
  const { code, stdout, stderr } = await runHere("cmd/event-types/main.ts", args, { env: { DATABASE_URL } });
  return { code, out: stdout, err: stderr };
}

const readCommand = (args: readonly string[]) => readCommandLine(eventTypesCommand, args);

test.each([
  [["list"], { name: "list", json: false }],
  [["list", "--json"], { name: "list", json: true }],
  [
    ["register", "--type", "t", "--schema", "f"],
    { name: "register", type: "t", client: undefined, file: "f" },
  ],
  [
    ["register", "--client=c", "--schema=f", "--type=t"],
    { name: "register", type: "t", client: "c", file: "f" },
  ],
  [["show", "--type", "t"], { name: "show", type: "t", client: undefined }],
  [["history", "t", "--json"], { name: "history", type: "t", client: undefined, json: true }],
  [
    ["test", "--type", "t", "--schema", "s", "data.json"],
    { name: "test", type: "t", client: undefined, file: "data.json", schema: "s" },
  ],
  [["remove", "--type", "t", "--client", "c"], { name: "remove", type: "t", client: "c", yes: false }],
])("reads %j", (args, command) => {
  expect(readCommand(args)).toEqual(command);
});

test.each([
  [["xyzzy"], ['There is no command "xyzzy": "croupier event-types --help" lists them.']],
  [["shwo"], ['There is no command "shwo": did you mean show?']],
  [["regster"], ['There is no command "regster": did you mean register?']],
  [
    ["list", "--type", "t"],
    [
      'There is no flag --type: "croupier event-types list --help" lists them.',
      expect.stringMatching(/^"t" is not expected/),
    ],
  ],
  [
    ["register"],
    ["--type <t> is missing: it is croupier event-types register --type <t> --schema <file> [flags]."],
  ],
  [
    ["register", "--type", "BAD!", "--client", "Acme", "--schema", "f"],
    [
      'The type must be of the form [a-z0-9_-]{1,40}, not "BAD!".',
      'The client must be of the form [a-z0-9-]{1,40}, not "Acme".',
    ],
  ],
  [["history", "bet"], ["The type bet is built in: every client has it, and it has no data."]],
  [["remove", "--type", "bet"], ["The type bet is built in: every client has it, and it has no data."]],
  [
    ["remove", "--type", "t", "--schema", "f", "--force"],
    [
      'There is no flag --schema: "croupier event-types remove --help" lists them.',
      'There is no flag --force: "croupier event-types remove --help" lists them.',
      expect.stringMatching(/^"f" is not expected/),
    ],
  ],
])("refuses %j", (args, problems) => {
  try {
    expect(readCommand(args)).toBe("refused");
  } catch (err) {
    expect(err instanceof UsageError && err.problems).toEqual(problems);
  }
});

test("registers, lists and removes", async () => {
  const schema = await file("level.json", '{"type":"object","properties":{"name":{"pattern":"^(a+)+$"}}}');
  expect(await run("register", "--type", "level_up", "--client", "lucky-spin", "--schema", schema)).toEqual({
    code: 0,
    out: "level_up is registered for client lucky-spin.\n",
    err: "",
  });
  const { out } = await run("list");
  expect(out.replaceAll(/\S+Z/g, "(time)")).toBe(`type                  client      changed
level_up              lucky-spin  (time)
monitor-app           (all)       (time)
transaction_approved  (all)       (time)
`);
  const removed = await run("remove", "--type", "level_up", "--client", "lucky-spin");
  expect(removed).toEqual({ code: 0, out: "Removed level_up for client lucky-spin.\n", err: "" });
  expect(await run("remove", "--type", "level_up")).toEqual({
    code: 1,
    out: "",
    err: "event-types: level_up is not registered for all clients.\n",
  });
});

test("shows a type's schema, a client's own before the one for all, and holds data against it", async () => {
  const own = await file("own.json", '{"type":"object","properties":{"app":{"const":"acme"}}}');
  await run("register", "--type", "monitor-app", "--client", "acme-casino", "--schema", own);
  const shown = async (...args: string[]) =>
    JSON.parse((await run("show", "--type", "monitor-app", ...args)).out) as unknown;
  expect(await shown("--client", "acme-casino")).toEqual(JSON.parse(await readFile(own, "utf8")));
  expect(await shown("--client", "lucky-spin")).toEqual(await shown());
  const data = await file("data.json", '{"app":"lobby","level":"info","message":"started"}');
  expect(await run("test", "--type", "monitor-app", data)).toEqual({
    code: 0,
    out: "The data is valid for monitor-app.\n",
    err: "",
  });
  expect(await run("test", "--type", "monitor-app", "--client", "acme-casino", data)).toEqual({
    code: 1,
    out: "",
    err: expect.stringMatching(/^event-types: The data is not valid for monitor-app: \/data\/app must be /),
  });
  expect(await run("test", "--type", "new", "--schema", own, data)).toMatchObject({ code: 1 });
  expect(await run("show", "--type", "new")).toMatchObject({
    code: 1,
    err: "event-types: new is not registered for all clients.\n",
  });
  expect(await run("show", "--type", "monitor-app", "--client", "acme-casin")).toMatchObject({
    code: 1,
    err: "event-types: There is no client acme-casin: did you mean acme-casino?\n",
  });
});

test("tells what became of a type's schemas, newest first", async () => {
  const [first, second] = ['{"type":"object"}', '{"type":"object","required":["level"]}'];
  const register = async (schema: string, ...args: string[]) =>
    run("register", "--type", "won", "--schema", await file("won.json", schema), ...args);
  await register(first);
  // The same once more changes nothing.
  await register(first);
  await register(second, "--client", "lucky-spin");
  await register(second);
  await run("remove", "--type", "won", "--client", "lucky-spin");
  const listed = async (...args: string[]) => {
    const { code, out, err } = await run("history", "won", ...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return out;
  };
  const rows = (await listed()).trimEnd().split("\n");
  expect(rows.map((row) => row.replace(/^\S+Z /, "(time) ").split(/ +/))).toEqual([
    ["time", "change", "client"],
    ["(time)", "removed", "lucky-spin"],
    ["(time)", "replaced", "(all)"],
    ["(time)", "registered", "lucky-spin"],
    ["(time)", "registered", "(all)"],
  ]);
  const all = { type: "won", client: null, at: expect.stringMatching(/^20.*Z$/) };
  expect(JSON.parse(await listed("--json", "--client", "acme-casino"))).toEqual([
    { ...all, change: "replaced", schema: JSON.parse(second) },
    { ...all, change: "registered", schema: JSON.parse(first) },
  ]);
  const [removed] = JSON.parse(await listed("--json"));
  expect(removed).toMatchObject({ change: "removed", client: "lucky-spin", schema: null });
  expect(await run("history", "never", "--json")).toEqual({
    code: 1,
    out: "",
    err: "event-types: never was never registered for all clients.\n",
  });
});

test("says in one sentence why it refuses", async () => {
  const register = (schema: string) => run("register", "--type", "level_up", "--schema", schema);
  const refusals = [
    [await register(join(folder, "none.json")), /^event-types: The schema cannot be read: ENOENT.*\n$/],
    [
      await register(await file("text.json", "{type}")),
      /^event-types: The schema in .*text.json is not JSON\.\n$/,
    ],
    [
      await register(await file("array.json", '{"type":"array"}')),
      /^event-types: The schema must have "type": "object".*\n$/,
    ],
    [
      await register(await file("ahead.json", '{"type":"object","properties":{"a":{"pattern":"^(?!x)"}}}')),
      /^event-types: The schema cannot be compiled: the pattern \^\(\?!x\) is none of RE2 \(.*\): write it without look-around.*\n$/,
    ],
  ] as const;
  for (const [{ code, out, err }, sentence] of refusals) {
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(sentence);
  }
  expect(await run("register", "--type", "level_up")).toEqual({
    code: 78,
    out: "",
    err: expect.stringMatching(
      /^event-types: --schema <file> is missing: it is croupier event-types register/,
    ),
  });
});
