import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { sql } from "kysely";
import { connect } from "nats";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { playerKind } from "../../internal/players/player-kind.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { postgresRecords } from "../../internal/records/postgres-records.ts";
import { defaultLimits, silent } from "../../test/harness/broker.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";

const DATABASE_URL = await databaseForTest();
const db = connectPostgres(DATABASE_URL, "test", silent);
afterAll(() => db.destroy());
await migrateWithSamples(db);
const store = postgresRecords(db, playerKind);
const { signal } = new AbortController();
beforeEach(() => sql`delete from players`.execute(db));

const players = (args: readonly string[], stdin = "", env = {}) =>
  runHere("cmd/players/main.ts", args, { env: { DATABASE_URL, ...env }, stdin });

test("imports a file, says what is wrong with it, and lists and shows what it stored", async () => {
  const file = join(tempFolder("players"), "players.csv");
  writeFileSync(
    file,
    "id,email,last_signed_in_at\n10,john@example.com,2022-01-10T12:34:56Z\n11,nobody,\n9,a@b,\n",
  );
  expect(await players(["import", "casino", file, "--dry-run"])).toEqual({
    code: 1,
    stdout: "2 players can be stored, 1 refused; nothing was stored.\n",
    stderr:
      'line 3: email must match pattern "@"\n' +
      "players: Not every line was stored: the invalid ones are named above.\n",
  });
  expect(await store.list("casino", 0, 10, signal)).toEqual([]);
  expect(await players(["import", "casino", file])).toMatchObject({
    code: 1,
    stdout: "2 players added, 0 replaced, 1 refused.\n",
  });
  expect(await players(["import", "casino", "-"], '{"id":9,"email":"new@b"}\n')).toEqual({
    code: 0,
    stdout: "0 players added, 1 replaced, 0 refused.\n",
    stderr: "",
  });

  expect(await players(["list", "casino"])).toMatchObject({
    code: 0,
    stdout:
      "id  email             last_signed_in_at\n" +
      "9   new@b\n" +
      "10  john@example.com  2022-01-10T12:34:56.000Z\n",
  });
  const john = { id: 10, email: "john@example.com", last_signed_in_at: "2022-01-10T12:34:56.000Z" };
  expect(JSON.parse((await players(["list", "casino", "--json"])).stdout)).toEqual([
    { id: 9, email: "new@b", last_signed_in_at: null },
    john,
  ]);
  expect(JSON.parse((await players(["show", "casino", "10", "--json"])).stdout)).toEqual(john);
  expect((await players(["show", "casino", "10"])).stdout).toMatch(/^id +10\nemail +john@example\.com\n/);
});

test("a listing of more than a page is one table, and one document", async () => {
  const many = Array.from({ length: 2_500 }, (_, i) => ({
    id: i + 1,
    email: "a@b",
    last_signed_in_at: null,
  }));
  await store.put("casino", many, signal);
  expect(JSON.parse((await players(["list", "casino", "--json"])).stdout)).toEqual(many);
  const lines = (await players(["list", "casino"])).stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(2_501);
  expect(lines.filter((line) => line.startsWith("id"))).toHaveLength(1);
  expect(JSON.parse((await players(["list", "lucky-spin", "--json"])).stdout)).toEqual([]);
});

test.each([
  [["show", "casino", "1"], 1, "players: The client casino has no player 1.\n"],
  [["list", "nobody"], 1, 'players: There is no client nobody: "croupier clients list" shows them.\n'],
  [["import", "casino", "/nowhere/x.csv"], 1, /^players: The file cannot be read: ENOENT.*x\.csv'\.\n$/],
  [["import", "casino", "/"], 1, /^players: The file cannot be read: EISDIR/],
  [["import", "casino", "-"], 1, "players: The file holds no player.\n"],
  [["import", "casino"], 78, /^players: .*file/],
])("%j ends with %i and says why", async (args, code, said) => {
  const ended = await players(args);
  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toMatch(said);
});

test("a database that is away is 69", async () => {
  const url = "postgres://casino:secret@127.0.0.1:1/casino";
  const ended = await players(["import", "casino", "-"], "id,email\n", { DATABASE_URL: url });
  expect(ended).toMatchObject({ code: 69, stdout: "" });
  expect(ended.stderr).toMatch(/^players: Postgres is away/);
  expect(ended.stderr).not.toContain("secret");
});

test("erases a player after a yes, says what is left, and lists who was erased", async () => {
  const NATS_URL = (await natsForTest()).url;
  const nc = await connect({ servers: NATS_URL });
  onTestFinished(() => nc.close());
  await ensureStreams(nc, ["raw", "priced", "profiled", "apart", "final"], defaultLimits);
  await jetstream(nc).publish("casino.event.final.casino.bet", "{}");
  await store.put("casino", [{ id: 10, email: "john@example.com", last_signed_in_at: null }], signal);
  const env = { DATABASE_URL, NATS_URL };
  expect(await players(["erase", "casino", "10"], "n\n", env)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Nothing was erased."),
  });
  expect(await store.find("casino", 10, signal)).toBeDefined();
  const { code, stdout, stderr } = await players(["erase", "casino", "10", "--yes"], "", env);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.replaceAll(/20\S+Z/g, "(when)")).toBe(`Player 10 of casino is erased from
  players                 1
  events                  0
  delivery answers        0
  delivery retries        0
  dead letters rewritten  0
  dead letters removed    0
Earlier events, which contain the e-mail, may still be in
  CASINO_EVENTS  1 message  until (when)
The archive will not store these data. Run the same command again after (when), for dead letters and delivery answers made from those events.
`);
  expect(JSON.parse((await players(["erased", "casino", "--json"])).stdout)).toMatchObject([
    { player_id: 10, requested_by: "croupier players erase", counts: { players: 1 } },
  ]);
  expect(
    JSON.parse((await players(["erase", "casino", "10", "-y", "--json"], "", env)).stdout),
  ).toMatchObject({
    ...{ player_id: 10, done: { players: 0 }, remains: [{ stream: "CASINO_EVENTS" }] },
  });
  const away = { DATABASE_URL, NATS_URL: "nats://127.0.0.1:1" };
  expect((await players(["erase", "casino", "10", "-y"], "", away)).code).toBe(69);
});
