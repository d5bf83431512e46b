import { readdir } from "node:fs/promises";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { freePort } from "../local/free-port.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { migrate } from "./migrate.ts";

const files = await readdir(new URL("../../migrations/", import.meta.url));
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

test("an empty database gets every migration, in order, with the client casino and its players", async () => {
  const { db } = await emptyDatabase();
  expect(all.length).toBeGreaterThan(0);
  expect(await migrate(db)).toEqual(all);
  expect(await db.selectFrom("clients").select("id").execute()).toContainEqual({ id: "casino" });
  const players = await db
    .selectFrom("players")
    .select(["id", "email"])
    .where("client_id", "=", "casino")
    .orderBy("id")
    .execute();
  expect(players).toEqual([
    { id: "10", email: "john@example.com" },
    { id: "11", email: "jane@example.com" },
    { id: "12", email: "bob@example.com" },
    { id: "13", email: "rick@example.com" },
    { id: "14", email: "morty@example.com" },
  ]);
});

test("a second time changes nothing, not even what was changed since", async () => {
  const { db } = await emptyDatabase();
  await migrate(db);
  await db.deleteFrom("players").where("id", "=", "10").execute();
  expect(await migrate(db)).toEqual([]);
  expect(await db.selectFrom("players").select("id").where("id", "=", "10").execute()).toEqual([]);
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

test("without a Postgres the command says so and exits 1", async () => {
  const url = `postgres://casino:secret@127.0.0.1:${await freePort()}/casino`;
  const command = startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: url } });
  expect(await command.ended).toEqual({ code: 1, signal: null });
  expect(await command.logged(/^migrating failed: .*ECONNREFUSED/)).toMatchObject({ level: "fatal" });
  expect(command.stderr).not.toContain("secret");
});
