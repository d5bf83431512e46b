import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { connectPostgres, type Database, type PostgresOptions } from "./connect.ts";

const url = await databaseForTest();

function open(query: string, options?: PostgresOptions): Database {
  const db = connectPostgres(`${url}?${query}`, "test", silent, options);
  onTestFinished(() => db.destroy());
  return db;
}

async function setting(db: Database, name: string): Promise<unknown> {
  const { rows } = await sql<{ value: string }>`select current_setting(${name}) as value`.execute(db);
  return rows[0]?.value;
}

test.each([
  ["", "statement_timeout", "10s"],
  ["statement_timeout=30000", "statement_timeout", "30s"],
  ["statement_timeout=0", "statement_timeout", "0"],
  ["", "lock_timeout", "0"],
  ["lock_timeout=2000", "lock_timeout", "2s"],
  ["", "idle_in_transaction_session_timeout", "1min"],
  ["idle_in_transaction_session_timeout=5000", "idle_in_transaction_session_timeout", "5s"],
  ["", "application_name", "croupier test"],
  ["application_name=mine", "application_name", "mine"],
  ["options=-c%20search_path=casino", "search_path", "casino"],
  // What the driver relies on stays, whatever the URL says.
  ["options=-c%20datestyle=german", "DateStyle", "ISO, DMY"],
])("a URL with %j has %s %s", async (query, name, value) => {
  expect(await setting(open(query), name)).toBe(value);
});

test("a caller that knows better, such as migrate, wins over the URL", async () => {
  const query = "statement_timeout=5000&max=9";
  expect(await setting(open(query, { statementTimeoutMs: 0 }), "statement_timeout")).toBe("0");
  expect(await connections(query, 1, { max: 1 })).toBe(1);
});

test.each([
  ["", 4],
  ["max=2", 2],
  ["max=6", 6],
])("with %j in the URL a process has at most %i connections", async (query, max) => {
  expect(await connections(query, max)).toBe(max);
});

/** Asks for two connections more than there should be, and holds them: how many it gets. */
async function connections(query: string, expected: number, options?: PostgresOptions): Promise<number> {
  const name = `crowd ${expected}`;
  const db = open(`${query}&application_name=${name}`, options);
  let held = 0;
  const enough = Promise.withResolvers<void>();
  const crowd = Array.from({ length: expected + 2 }, () =>
    db.connection().execute(() => {
      held++;
      return enough.promise;
    }),
  );
  await waitFor(() => held >= expected);
  const seen = sql`select from pg_stat_activity where application_name = ${name}`;
  const all = (await seen.execute(open("application_name=watcher"))).rows.length;
  enough.resolve();
  await Promise.all(crowd);
  return all;
}

test("a statement that takes longer than the URL allows is ended by the server", async () => {
  const db = open("statement_timeout=50");
  await expect(sql`select pg_sleep(60)`.execute(db)).rejects.toMatchObject({ code: "57014" });
});

test("a transaction left alone for too long gives its locks back", async () => {
  const db = open("idle_in_transaction_session_timeout=50");
  const watcher = open("application_name=watcher");
  const left = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    const ofIt = sql`select from pg_stat_activity where pid = ${rows[0]?.pid}`;
    await waitFor(async () => (await ofIt.execute(watcher)).rows.length === 0);
  });
  await expect(left).rejects.toThrow();
});
