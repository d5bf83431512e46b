import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { postgresRecords } from "../records/postgres-records.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { gameKind } from "./game-kind.ts";
import { GameTitles } from "./game-titles.ts";

const { signal } = new AbortController();

function open(url: string): Database {
  const db = connectPostgres(url, "test", silent);
  onTestFinished(() => db.destroy());
  return db;
}

function start(db: Database): GameTitles {
  const titles = GameTitles.start(db, silent);
  onTestFinished(() => titles.close());
  return titles;
}

const loaded = (titles: GameTitles) => waitFor(() => titles.problem === undefined);

test("knows the ten titles of the client casino, each client's own, and no others", async () => {
  const db = open(await databaseForTest());
  await migrateWithSamples(db);
  await postgresRecords(db, gameKind).put("lucky-spin", [{ id: 100, title: "Lucky Dice" }], signal);
  const titles = start(db);
  await loaded(titles);
  const ids = Array.from({ length: 12 }, (_, i) => 99 + i);
  expect(ids.map((id) => titles.titleOf("casino", id))).toEqual([
    undefined,
    "Rocket Dice",
    "It's bananas!",
    "Wild Spin",
    "Book of Dead",
    "Pirate Jackpots",
    "Western Gold 2",
    "Super Rainbow Megaways",
    "#BarsAndBells",
    "Fortune Three",
    "ChilliPop",
    undefined,
  ]);
  expect(titles.titleOf("lucky-spin", 100)).toBe("Lucky Dice");
  expect(titles.titleOf("lucky-spin", 101)).toBeUndefined();
  expect(titles.titleOf("nobody", 100)).toBe("Rocket Dice");
  expect(titles.titleOf("nobody", 123)).toBeUndefined();
});

test("follows whatever changes them, within seconds", async () => {
  const db = open(await databaseForTest());
  await migrateWithSamples(db);
  const games = postgresRecords(db, gameKind);
  const titles = start(db);
  await loaded(titles);
  const becomes = (client: string, id: number, title: string | undefined) =>
    waitFor(() => titles.titleOf(client, id) === title);
  await games.put("casino", [{ id: 100, title: "New Dice" }], signal);
  await becomes("casino", 100, "New Dice");
  await games.put("lucky-spin", [{ id: 100, title: "Lucky Dice" }], signal);
  await becomes("lucky-spin", 100, "Lucky Dice");
  await games.remove("casino", 100, signal);
  await becomes("casino", 100, undefined);
  expect(titles.titleOf("casino", 101)).toBe("It's bananas!");
  await sql`update games set title = 'By hand' where client_id = 'casino' and id = 101`.execute(db);
  await becomes("casino", 101, "By hand");
  await sql`truncate games`.execute(db);
  await becomes("lucky-spin", 100, undefined);
  await becomes("casino", 101, undefined);
});

test("while Postgres is away the last ones go on, and it follows again when it is back", async () => {
  const postgres = await postgresForTest();
  const db = open(postgres.url);
  await migrateWithSamples(db);
  const titles = start(db);
  await loaded(titles);
  await postgres.kill();
  await expect(sql`select 1`.execute(db)).rejects.toThrow();
  expect(titles.titleOf("casino", 100)).toBe("Rocket Dice");
  expect(titles.problem).toBeUndefined();
  await postgres.start();
  await waitFor(() =>
    postgresRecords(db, gameKind)
      .put("casino", [{ id: 100, title: "Later" }], signal)
      .then(
        () => true,
        () => false,
      ),
  );
  await waitFor(() => titles.titleOf("casino", 100) === "Later");
});

test("until they were read once, before the migrations for one, whoever asks has to wait", async () => {
  const db = open(await databaseForTest());
  const titles = start(db);
  expect(() => titles.titleOf("casino", 100)).toThrow(expect.toSatisfy(isUnavailable));
  await waitFor(() =>
    /^the titles of games are not loaded yet: Postgres lacks what this version needs/.test(
      titles.problem ?? "",
    ),
  );
  await migrateWithSamples(db);
  await loaded(titles);
  expect(titles.titleOf("casino", 100)).toBe("Rocket Dice");
});
