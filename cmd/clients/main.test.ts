import { expect, test } from "vitest";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { silent } from "../../test/harness/broker.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { runCommand } from "./run.ts";

const DATABASE_URL = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrateWithSamples(db);
  },
});

const clients = (line: string, url = DATABASE_URL) =>
  runHere("cmd/clients/main.ts", line.split(" ").filter(Boolean), { env: { DATABASE_URL: url } });

test("adds clients, and creates, lists and revokes keys; a key is shown once and kept nowhere", async () => {
  expect(await clients("add lucky --name Lucky")).toEqual({
    code: 0,
    stdout: "Added client lucky.\n",
    stderr: "",
  });
  const { stdout } = await clients("list");
  expect(stdout).toMatch(/^client +name +created +state\n/);
  expect(stdout).toMatch(/^casino +The casino +20\d\d-.*Z$/m);
  expect(stdout).toMatch(/^lucky +Lucky +20\d\d-.*Z$/m);

  const created = await clients("keys create lucky till --expiry 12h");
  expect(created).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/^Keep it now: it is not shown again\. It is valid until 20\S+Z\.\n$/),
  });
  const lasting = await clients("keys create casino bar");
  expect(lasting.stderr).toBe(
    `Keep it now: it is not shown again.\nThis key never expires. For one that does, first revoke it ("clients keys revoke ${lasting.stdout.slice(0, 11)}"), then add "--expiry 90d" to the same command.\n`,
  );
  const key = created.stdout.trim();
  expect(key).toMatch(/^cr_[0-9a-f]{8}_[0-9a-f]{48}$/);
  const prefix = key.slice(0, 11);
  expect((await clients("keys create --operator")).stdout).toMatch(/^cr_/);

  const listed = (await clients("keys list lucky")).stdout;
  expect(listed).toMatch(new RegExp(`^prefix .*\n${prefix}  lucky   till    20\\S+  valid until 20\\S+Z\n$`));
  expect(listed).not.toContain(key);
  expect((await clients("keys list")).stdout).toContain("(operator)");

  expect(await clients(`keys revoke ${prefix}`)).toMatchObject({
    code: 0,
    stdout: `Revoked ${prefix}; gateways refuse it within 5 seconds.\n`,
  });
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
  ["add casino", 1, 'clients: The client "casino" already exists.\n'],
  ["keys create nobody till", 1, 'clients: There is no client nobody: "croupier clients list" shows them.\n'],
  ["keys list casin", 1, "clients: There is no client casin: did you mean casino?\n"],
  ["sign-in nobody", 1, 'clients: There is no client nobody: "croupier clients list" shows them.\n'],
  ["disable nobody", 1, 'clients: There is no client nobody: "croupier clients list" shows them.\n'],
  ["enable nobody", 1, 'clients: There is no client nobody: "croupier clients list" shows them.\n'],
  ["keys revoke cr_none", 1, 'clients: There is no key "cr_none": "clients keys list" shows them.\n'],
  [
    "keys create casino",
    78,
    "clients: It is: croupier clients keys create <client> <source>, or --operator alone.\n",
  ],
])("%s fails with a sentence", async (line, code, stderr) => {
  expect(await clients(line)).toEqual({ code, stdout: "", stderr });
});

test("says when Postgres is away or the environment is wrong, without the password", async () => {
  const away = await clients("list", "postgres://casino:secret@127.0.0.1:1/casino");
  expect(away).toMatchObject({ code: 69, stdout: "" });
  expect(away.stderr).toMatch(
    /^clients: Postgres is away: .* \(DATABASE_URL is postgres:\/\/\*\*\*@127\.0\.0\.1:1\)\.\n$/,
  );
  const wrong = await clients("list", "mysql://casino:secret@127.0.0.1/casino");
  expect(wrong).toMatchObject({ code: 78, stdout: "" });
  expect(away.stderr + wrong.stderr).not.toContain("secret");
});

test("prints what nats.conf needs for a client's producers, without a database", async () => {
  const { code, stdout, stderr } = await clients("nats acme-2", "");
  expect(code).toBe(0);
  expect(stdout).toContain('{ service: "casino.event.raw.acme-2", accounts: [CLIENT_ACME_2] }');
  expect(stdout).toContain("user: producer-acme-2\n");
  expect(stderr).toMatch(/set NATS_PRODUCER_ACME_2_PASSWORD for nats-server/);
});

test("links a sign-in to the gateway of the up that runs here, wherever it listens", async () => {
  await using db = connectPostgres(DATABASE_URL, "test", silent);
  const yes = async () => true;
  const signIn = { do: "sign in", scope: "operator" } as const;
  const said: string[] = [];
  const say = (text: string | Uint8Array) => void said.push(String(text));
  await runCommand(signIn, { db, say, remark: say, ask: yes, askIfSeated: yes, gatewayPort: 3100 });
  const [code, remark] = said;
  expect(remark).toContain(`open http://127.0.0.1:3100/#code=${code?.trim()},`);
});

test("helps, also without a command", async () => {
  for (const line of ["", "--help"]) {
    const { code, stdout } = await clients(line, "");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}keys +create, list and revoke/m);
  }
});

test("disables and enables a client, and removes one that has no events", async () => {
  await clients("add brief");
  await clients("keys create brief till");
  expect(await clients("disable brief")).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/^Disabled brief: gateways refuse its keys with 403 .*unknown_client/),
  });
  expect((await clients("list")).stdout).toMatch(/^brief .* disabled 20\S+Z$/m);
  expect(await clients("enable brief")).toMatchObject({ code: 0 });
  expect((await clients("list")).stdout).not.toContain("disabled");

  // Nobody says yes.
  expect(await clients("remove brief")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("clients: brief was not removed.\n"),
  });
  expect(await clients("remove brief --yes")).toMatchObject({ code: 0 });
  expect((await clients("list")).stdout).not.toContain("brief");
  expect((await clients("keys list brief")).stdout).not.toContain("till");

  await using db = connectPostgres(DATABASE_URL, "test", silent);
  const now = new Date();
  await db
    .insertInto("events")
    .values({
      ...{ client_id: "lucky-spin", source: "s", id: "1", type: "bet", description: "d" },
      ...{ player_id: null, game_id: null, amount: null, currency: null, has_won: null, data: null },
      ...{ amount_eur: null, player_email: null, player_last_signed_in_at: null, rate: null, rate_at: null },
      ...{ created_at: now, stored_at: now },
    })
    .execute();
  expect(await clients("remove lucky-spin -y")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^clients: lucky-spin has events .* "clients disable lucky-spin"/),
  });
  const players = await db.selectFrom("players").select("id").where("client_id", "=", "lucky-spin").execute();
  expect(players).not.toEqual([]);
});
