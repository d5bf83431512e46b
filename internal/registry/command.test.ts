import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { UsageError } from "../command-line.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { readCommand } from "./command.ts";

const DATABASE_URL = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrate(db);
  },
});
const folder = tempFolder("schemas");

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

async function run(...args: string[]) {
  const command = startCommand("cmd/event-types/main.ts", { args, env: { DATABASE_URL } });
  const { code } = await command.ended;
  return { code, out: command.stdout, err: command.stderr };
}

test.each([
  [["list"], { name: "list" }],
  [
    ["register", "--type", "t", "--schema", "f"],
    { name: "register", type: "t", client: undefined, file: "f" },
  ],
  [
    ["--client=c", "register", "--schema=f", "--type=t"],
    { name: "register", type: "t", client: "c", file: "f" },
  ],
  [["remove", "--type", "t", "--client", "c"], { name: "remove", type: "t", client: "c" }],
  [["list", "--help"], { name: "help" }],
])("reads %j", (args, command) => {
  expect(readCommand(args)).toEqual(command);
});

test.each([
  [[], "The command must be list, register or remove; --help explains them."],
  [["show"], 'The command must be list, register or remove, not "show"; --help explains them.'],
  [["list", "--type", "t"], "list takes no --type."],
  [["register"], "register needs --type.\nregister needs --schema."],
  [
    ["register", "--type", "BAD!", "--client", "Acme", "--schema", "f"],
    'The type must be of the form [a-z0-9_-]{1,40}, not "BAD!".\nThe client must be of the form [a-z0-9-]{1,40}, not "Acme".',
  ],
  [["remove", "--type", "bet"], "The type bet is built in: every client has it, and it has no data."],
  [["register", "more", "--type=", "--schema", "f"], '"more" is not expected.\n--type needs a value.'],
  [
    ["remove", "--type", "t", "--schema", "f", "--force"],
    "remove takes no --schema.\nremove takes no --force.",
  ],
])("refuses %j", (args, sentences) => {
  expect(() => readCommand(args)).toThrow(new UsageError(sentences));
});

test("registers, lists and removes", async () => {
  const schema = await file("level.json", '{"type":"object","properties":{"name":{"pattern":"^(a+)+$"}}}');
  expect(await run("register", "--type", "level_up", "--client", "lucky-spin", "--schema", schema)).toEqual({
    code: 0,
    out: `level_up is registered for client lucky-spin.
Its "pattern ^(a+)+$" may take long, so each check is timed and costs about 0.1 ms more.
`,
    err: "",
  });
  const { out } = await run("list");
  expect(out.replaceAll(/\S+Z/g, "(time)")).toBe(`level_up              (time)  client lucky-spin
monitor-app           (time)  all clients
transaction_approved  (time)  all clients
`);
  const removed = await run("remove", "--type", "level_up", "--client", "lucky-spin");
  expect(removed).toEqual({ code: 0, out: "level_up is removed for client lucky-spin.\n", err: "" });
  expect(await run("remove", "--type", "level_up")).toEqual({
    code: 1,
    out: "",
    err: "event-types: level_up is not registered for all clients.\n",
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
  ] as const;
  for (const [{ code, out, err }, sentence] of refusals) {
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(sentence);
  }
  expect(await run("register", "--type", "level_up")).toEqual({
    code: 78,
    out: "",
    err: "event-types: register needs --schema.\n",
  });
});
