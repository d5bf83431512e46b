import { sql } from "kysely";
import { afterAll, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { connectPostgres } from "./connect.ts";
import { PreparedStatement } from "./prepared.ts";

const db = connectPostgres(await databaseForTest(), "test", silent, { max: 1 });
afterAll(() => db.destroy());
const never = new AbortController().signal;

async function names(): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_prepared_statements`.execute(
    db,
  );
  return rows[0]?.n ?? -1;
}

test("a statement is prepared once on its connection, whatever it is asked with", async () => {
  const double = new PreparedStatement<{ two: number }>(db, "select $1::int * 2 as two");
  for (const one of [1, 2, 3]) expect(await double.run([one], never)).toEqual([{ two: 2 * one }]);
  expect(await names()).toBe(1);
});

test("where a pooler loses what was prepared it goes on without", async () => {
  const triple = new PreparedStatement<{ three: number }>(db, "select $1::int * 3 as three");
  await triple.run([1], never);
  await sql`deallocate all`.execute(db);
  expect(await triple.run([2], never)).toEqual([{ three: 6 }]);
  expect(await triple.run([3], never)).toEqual([{ three: 9 }]);
  expect(await names()).toBe(0);
});

test("and where what it answers has changed its type", async () => {
  await sql`create table kept (value int)`.execute(db);
  const all = new PreparedStatement<{ value: unknown }>(db, "select value from kept where value::text = $1");
  await all.run(["1"], never);
  await sql`alter table kept alter value type text`.execute(db);
  await sql`insert into kept values ('one')`.execute(db);
  expect(await all.run(["one"], never)).toEqual([{ value: "one" }]);
});

test("an abort ends the wait at once, and a failure of the statement leaves a connection of use", async () => {
  const slow = new PreparedStatement(db, "select pg_sleep(0.2), 1 / $1::int as one");
  const stop = new AbortController();
  const waiting = slow.run([1], stop.signal);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
  await expect(slow.run([0], never)).rejects.toMatchObject({ code: "22012" });
  expect(await slow.run([1], never)).toMatchObject([{ one: 1 }]);
});
