import { execFile } from "node:child_process";
import { expect, test } from "vitest";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";

const DATABASE_URL = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrate(db);
  },
});

/** Runs the command as people do. */
function clients(line: string, env: NodeJS.ProcessEnv = { DATABASE_URL }) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const args = ["cmd/clients/main.ts", ...line.split(" ").filter((word) => word !== "")];
    execFile(process.execPath, args, { env: { ...process.env, ...env } }, (err, stdout, stderr) =>
      resolve({ code: typeof err?.code === "number" ? err.code : 0, stdout, stderr }),
    );
  });
}

test("adds clients, and creates, lists and revokes keys; a key is shown once and kept nowhere", async () => {
  expect(await clients("add lucky --name Lucky")).toMatchObject({ code: 0, stdout: "" });
  const { stdout } = await clients("list");
  expect(stdout).toMatch(/^client +name +created\n/);
  expect(stdout).toMatch(/^casino +The casino +20\d\d-.*Z$/m);
  expect(stdout).toMatch(/^lucky +Lucky +20\d\d-.*Z$/m);

  const created = await clients("keys create lucky till --expires 12h");
  expect(created).toMatchObject({ code: 0, stderr: "Keep it now: it is not shown again.\n" });
  const key = created.stdout.trim();
  expect(key).toMatch(/^cr_[0-9a-f]{8}_[0-9a-f]{48}$/);
  const prefix = key.slice(0, 11);
  expect((await clients("keys create --operator")).stdout).toMatch(/^cr_/);

  const listed = (await clients("keys list lucky")).stdout;
  expect(listed).toMatch(new RegExp(`^prefix .*\n${prefix}  lucky   till    20\\S+  good until 20\\S+Z\n$`));
  expect(listed).not.toContain(key);
  expect((await clients("keys list")).stdout).toContain("(operator)");

  expect(await clients(`keys revoke ${prefix}`)).toMatchObject({ code: 0, stdout: "" });
  const revoked = (await clients("keys list lucky")).stdout;
  expect(revoked).toMatch(/revoked 20\S+Z\n$/);
  await clients(`keys revoke ${prefix}`);
  expect((await clients("keys list lucky")).stdout).toBe(revoked);

  await using db = connectPostgres(DATABASE_URL, "test", silent);
  const [row] = await db.selectFrom("api_keys").selectAll().where("prefix", "=", prefix).execute();
  expect(row?.hash).toHaveLength(32);
  expect(JSON.stringify(row)).not.toContain(key.slice(12));
});

test.each([
  ["add casino", 1, 'clients: There is a client "casino" already.\n'],
  ["keys create nobody till", 1, 'clients: There is no client "nobody": add it with "clients add" first.\n'],
  ["keys revoke cr_none", 1, 'clients: There is no key "cr_none": "clients keys list" shows them.\n'],
  [
    "keys create casino",
    78,
    "clients: It is: clients keys create <client> <source> [--expires <when>].\n--help shows the commands.\n",
  ],
])("%s fails with a sentence", async (line, code, stderr) => {
  expect(await clients(line)).toEqual({ code, stdout: "", stderr });
});

test("says when Postgres is away or the environment is wrong, without the password", async () => {
  const away = await clients("list", { DATABASE_URL: "postgres://casino:secret@127.0.0.1:1/casino" });
  expect(away).toMatchObject({ code: 1, stdout: "" });
  expect(away.stderr).toMatch(/^clients: Postgres is away: .*\n$/);
  const wrong = await clients("list", { DATABASE_URL: "mysql://casino:secret@127.0.0.1/casino" });
  expect(wrong).toMatchObject({ code: 78, stdout: "" });
  expect(away.stderr + wrong.stderr).not.toContain("secret");
});

test("helps, also without a command", async () => {
  for (const line of ["", "--help"]) {
    const { code, stdout } = await clients(line, { DATABASE_URL: "" });
    expect(code).toBe(0);
    expect(stdout).toContain("clients keys revoke <prefix>");
  }
});
