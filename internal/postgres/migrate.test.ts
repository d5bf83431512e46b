import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { freePort } from "../local/free-port.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { migrate } from "./migrate.ts";

const files = await readdir(new URL("../../migrations", import.meta.url));
const all = files
  .filter((file) => /^\d{4}_.*\.ts$/.test(file))
  .map((file) => file.slice(0, -".ts".length))
  .sort();

async function emptyDatabase(): Promise<{ url: string; db: Database }> {
  const url = await databaseForTest();
  const db = connectPostgres(url, "test", silent);
  onTestFinished(() => db.destroy());
  return { url, db };
}

test("an empty database gets every migration, in order, with the client casino and its games alone", async () => {
  const { db } = await emptyDatabase();
  expect(all.length).toBeGreaterThan(0);
  expect(await migrate(db)).toEqual(all);
  expect(await db.selectFrom("clients").select("id").execute()).toEqual([{ id: "casino" }]);
  for (const table of ["players", "event_type_schemas"] as const)
    expect(await db.selectFrom(table).selectAll().execute()).toEqual([]);
  const types = await db.selectFrom("event_types").select("name").orderBy("name").execute();
  expect(types.map(({ name }) => name)).toEqual(["bet", "deposit", "game_start", "game_stop"]);
  expect(await db.selectFrom("games").select("client_id").execute()).toHaveLength(10);
});

test("a database of a version that planted samples keeps them", async () => {
  const { db } = await emptyDatabase();
  await migrate(db, "0006_games");
  await migrate(db);
  expect(await db.selectFrom("players").selectAll().execute()).toHaveLength(11);
  expect(await db.selectFrom("clients").selectAll().execute()).toHaveLength(3);
  const schemas = await db.selectFrom("event_type_schemas").selectAll().orderBy("type").execute();
  expect(schemas).toHaveLength(2);
  const changes = db.selectFrom("event_type_changes").select(["type", "client_id", "schema", "at", "change"]);
  expect(await changes.orderBy("type").execute()).toEqual(
    schemas.map(({ updated_at: at, ...row }) => ({ ...row, at, change: "registered" })),
  );
});

test("a second time changes nothing, not even what was changed since", async () => {
  const { db } = await emptyDatabase();
  await migrate(db);
  await db.deleteFrom("games").where("id", "=", "100").execute();
  expect(await migrate(db)).toEqual([]);
  expect(await db.selectFrom("games").select("id").where("id", "=", "100").execute()).toEqual([]);
});

test("one that fails says which, and leaves nothing of itself behind", async () => {
  const { db } = await emptyDatabase();
  await sql`create table players ()`.execute(db);
  await expect(migrate(db)).rejects.toThrow(
    'migration 0001_clients_and_players failed: relation "players" already exists',
  );
  expect((await sql`select to_regclass('clients') as found`.execute(db)).rows).toEqual([{ found: null }]);
  await sql`drop table players`.execute(db);
  expect(await migrate(db)).toEqual(all);
});

test("four processes at once: all succeed, each migration is applied once", async () => {
  const { url, db } = await emptyDatabase();
  const commands = [1, 2, 3, 4].map(() =>
    startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: url } }),
  );
  const ends = await Promise.all(commands.map((command) => command.ended));
  expect(ends, commands.map((command) => command.stderr).join("\n")).toEqual(
    Array(4).fill({ code: 0, signal: null }),
  );
  const applied = await Promise.all(commands.map((command) => command.logged(/^the schema /)));
  expect(applied.flatMap((line) => line.applied)).toEqual(all);
  expect(await migrate(db)).toEqual([]);
});

test("without a Postgres the command says so and exits 69", async () => {
  const url = `postgres://casino:secret@127.0.0.1:${await freePort()}/casino`;
  const command = startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: url } });
  expect(await command.ended).toEqual({ code: 69, signal: null });
  expect(await command.logged(/^migrating failed: .*ECONNREFUSED/)).toMatchObject({
    level: "fatal",
    msg: expect.stringContaining(
      `(DATABASE_URL is ${url.replace("casino:secret", "***").replace("/casino", "")}).`,
    ),
  });
  expect(command.stderr).not.toContain("secret");
});

// The server's end comes as one or the other, whichever the client's next look meets.
test("where the server hangs up the command says which one", async () => {
  const server = createServer((socket) => socket.destroy());
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const env = { DATABASE_URL: `postgres://casino:secret@127.0.0.1:${port}/casino` };
  const command = startCommand("cmd/migrate/main.ts", { env });
  expect(await command.ended).toEqual({ code: 69, signal: null });
  expect(
    await command.logged(/^migrating failed: (Connection terminated unexpectedly|read ECONNRESET) \(/),
  ).toMatchObject({
    msg: expect.stringContaining(`(DATABASE_URL is postgres://***@127.0.0.1:${port}).`),
  });
});

test("where Postgres refuses the password the command exits 78", async () => {
  const { url } = await emptyDatabase();
  const wrong = Object.assign(new URL(url), { password: "wrong" }).href;
  const command = startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: wrong } });
  expect(await command.ended).toEqual({ code: 78, signal: null });
  expect(await command.logged(/^migrating failed: password authentication failed/)).toMatchObject({
    level: "fatal",
  });
});

test("a server that is too old is refused with 78, before anything is changed", async () => {
  const { url, db } = await emptyDatabase();
  await sql`create function current_setting(text) returns text language sql return '130014'`.execute(db);
  // So that this function comes before the server's own.
  const old = `${url}?options=${encodeURIComponent("-c search_path=public,pg_catalog")}`;
  const command = startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: old } });
  expect(await command.ended).toEqual({ code: 78, signal: null });
  expect(await command.logged(/^migrating failed: the server is Postgres 13, and/)).toMatchObject({
    level: "fatal",
  });
  const { rows } = await sql`select from pg_class where relnamespace = 'public'::regnamespace`.execute(db);
  expect(rows).toEqual([]);
});
