import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { type RawBuilder, sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { TcpProxy } from "../../test/harness/tcp-proxy.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { freePort } from "../local/free-port.ts";
import { isUnavailable } from "../service/unavailable.ts";
import {
  asUnavailable,
  connectPostgres,
  type Database,
  type PostgresOptions,
  postgresAnswers,
} from "./connect.ts";

const signal = new AbortController().signal;

function open(url: string, options?: PostgresOptions): Database {
  const db = connectPostgres(url, "test", silent, options);
  onTestFinished(() => db.destroy());
  return db;
}

/** What becomes of a query that fails. */
async function failure(db: Database, query: RawBuilder<unknown>): Promise<unknown> {
  try {
    await query.execute(db);
  } catch (err) {
    return asUnavailable(err);
  }
  throw new Error("the query did not fail");
}

/** A URL with parts of it replaced. */
function change(
  url: string,
  parts: Partial<Pick<URL, "hostname" | "port" | "password" | "pathname">>,
): string {
  return Object.assign(new URL(url), parts).href;
}

describe("is unavailable", () => {
  test.each(["127.0.0.1", "localhost"])("where nobody listens on %s", async (hostname) => {
    const db = open(`postgres://casino@${hostname}:${await freePort()}/casino`);
    expect(await failure(db, sql`select 1`)).toMatchObject({
      name: "Unavailable",
      message: expect.stringMatching(/^Postgres is away: .+/),
    });
  });

  // As MariaDB and others greet, by which byte they begin with: one that is a message of Postgres, and one that is none.
  test.each(["d\0\0\0\x0a11.8.3-MariaDB", "J\0\0\0\x0a5.5.5-10.3.39-MariaDB"])(
    "another kind of server",
    async (greeting) => {
      const other = createServer((socket) => socket.on("error", () => undefined).write(greeting)).listen(0);
      onTestFinished(() => void other.close());
      await once(other, "listening");
      const { port } = other.address() as AddressInfo; // it listens on a port
      expect(await failure(open(`postgres://casino@127.0.0.1:${port}/casino`), sql`select 1`)).toMatchObject({
        name: "Unavailable",
        message: "Postgres is away: what answers is no Postgres: is it another kind of server?",
      });
    },
  );

  test("a database that was never migrated", async () => {
    expect(await failure(open(await databaseForTest()), sql`select * from nowhere`)).toMatchObject({
      name: "Unavailable",
      message:
        'Postgres lacks what this version needs: relation "nowhere" does not exist: run croupier migrate, or check DATABASE_URL',
    });
  });

  test("a host without an address", async () => {
    expect(await failure(open("postgres://casino@no-such-host.invalid/casino"), sql`select 1`)).toSatisfy(
      isUnavailable,
    );
  });

  test("a wrong password", async () => {
    const url = change(await databaseForTest(), { password: "wrong" });
    expect(await failure(open(url), sql`select 1`)).toSatisfy(isUnavailable);
  });

  test("a database that does not exist yet", async () => {
    const url = change(await databaseForTest(), { pathname: "/no_such_database" });
    expect(await failure(open(url), sql`select 1`)).toSatisfy(isUnavailable);
  });

  test.each([
    ["table", sql`select 1 from no_such_table`],
    ["column", sql`select no_such_column from pg_class`],
  ])("a %s that no migration has made yet", async (_what, query) => {
    expect(await failure(open(await databaseForTest()), query)).toSatisfy(isUnavailable);
  });

  test("a query that takes too long", async () => {
    const db = open(await databaseForTest(), { statementTimeoutMs: 20 });
    expect(await failure(db, sql`select pg_sleep(60)`)).toSatisfy(isUnavailable);
  });

  test("a server that is away, however it went; it is used again when it is back", async () => {
    const postgres = await postgresForTest();
    const db = open(postgres.url);
    for (const end of [postgres.stop, postgres.kill]) {
      const query = sql`select pg_sleep(60)`;
      const failed = failure(db, query);
      await waitFor(async () => {
        const running = sql`select from pg_stat_activity where query like 'select pg_sleep%'`;
        return (await running.execute(db)).rows.length > 0;
      });
      await end();
      expect(await failed).toSatisfy(isUnavailable);
      // A killed server's other connections still work for a moment.
      await waitFor(async () => isUnavailable(await failure(db, sql`select 1`)));
      await expect(postgresAnswers(db)(signal)).rejects.toThrow();
      await postgres.start();
      expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
      expect(await postgresAnswers(db)(signal)).toBeUndefined();
    }
  });

  test("one connection too many", async () => {
    const postgres = await postgresForTest();
    const db = open(postgres.url, { max: 250 });
    const held = Promise.withResolvers<void>();
    const crowd: Promise<void>[] = [];
    let refusal: unknown;
    // One after the other: all at once, those that wait for a connection too long could be the first to fail.
    while (refusal === undefined) {
      const isHeld = Promise.withResolvers<void>();
      const hold = (): Promise<void> => {
        isHeld.resolve();
        return held.promise;
      };
      crowd.push(db.connection().execute(hold));
      refusal = await Promise.race([isHeld.promise, crowd.at(-1)]).catch(asUnavailable);
    }
    held.resolve();
    await Promise.allSettled(crowd);
    expect(refusal).toMatchObject({ name: "Unavailable", cause: { code: "53300" } });
  });

  test("a line that breaks, or stays silent, while a query is under way; the next one has a new connection", async () => {
    const url = await databaseForTest();
    const proxy = await TcpProxy.open(await freePort(), Number(new URL(url).port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const viaProxy = change(url, { hostname: "127.0.0.1", port: String(proxy.port) });
    const db = open(viaProxy, { max: 1, statementTimeoutMs: 20 });
    let pid = await pidOf(db);
    for (const breaks of [() => proxy.reset(), () => proxy.stall()]) {
      const failed = failure(db, sql`select pg_sleep(0.01)`);
      await setImmediate();
      breaks();
      expect(await failed).toSatisfy(isUnavailable);
      await proxy.restore();
      const next = await pidOf(db);
      expect(next).not.toBe(pid);
      pid = next;
    }
  });

  test("a caller's patience that ran out", () => {
    expect(asUnavailable(new DOMException("too long", "TimeoutError"))).toSatisfy(isUnavailable);
  });
});

const pidOf = async (db: Database) =>
  (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid;

describe("a connection is replaced", () => {
  test("when its server may only read any more", async () => {
    const url = await databaseForTest();
    const [admin, db] = [open(url, { max: 1 }), open(url, { max: 1 })];
    const database = sql.id(new URL(url).pathname.slice(1));
    // What a new connection meets; that of the admin is older.
    const become = (readOnly: "on" | "off") =>
      sql`alter database ${database} set default_transaction_read_only = ${sql.raw(readOnly)}`.execute(admin);
    await sql`create table notes (n int)`.execute(admin);
    const write = sql`insert into notes values (1)`;
    await become("on");
    const pid = await pidOf(db);
    expect(await failure(db, write)).toMatchObject({ name: "Unavailable", cause: { code: "25006" } });
    await become("off");
    expect((await write.execute(db)).numAffectedRows).toBe(1n);
    expect(await pidOf(db)).not.toBe(pid);
  });

  test("when its server ended it, also in a transaction", async () => {
    const url = await databaseForTest();
    const [admin, db] = [open(url), open(url, { max: 1 })];
    const pid = await pidOf(db);
    const work = db.transaction().execute(async (tx) => {
      await sql`select pg_terminate_backend(${pid})`.execute(admin);
      await sql`select 1`.execute(tx);
    });
    expect(await work.catch(asUnavailable)).toSatisfy(isUnavailable);
    expect(await pidOf(db)).not.toBe(pid);
  });

  test("and not for any other failure", async () => {
    const db = open(await databaseForTest(), { max: 1, statementTimeoutMs: 20 });
    const pid = await pidOf(db);
    for (const query of [
      sql`selekt 1`,
      sql`select 1 / 0`,
      sql`select pg_sleep(60)`,
      sql`select 1 from nowhere`,
    ])
      await failure(db, query);
    expect(await pidOf(db)).toBe(pid);
  });
});

const duplicate = sql`create table numbers (n int unique); insert into numbers values (1), (1)`;

describe("is not unavailable", () => {
  test.each([
    ["text that is no number", sql`select ${"ten"}::bigint`],
    ["a number out of range", sql`select ${"9223372036854775808"}::bigint`],
    ["a character that Postgres cannot keep", sql`select ${"\0"}::text`],
    ["a row that is there already", duplicate],
    ["SQL that is none", sql`selekt 1`],
    ["division by zero", sql`select 1 / 0`],
  ])("%s", async (_what, query) => {
    expect(await failure(open(await databaseForTest()), query)).not.toSatisfy(isUnavailable);
  });

  test("a bug of ours, whatever its class, the reason of an abort, or what is no error at all", () => {
    const bugs = [
      new TypeError("x is not a function"),
      new ReferenceError("x"),
      new Error("2 rows for 3 keys"),
    ];
    for (const err of [...bugs, new DOMException("closed", "AbortError"), "text", undefined])
      expect(asUnavailable(err)).toBe(err);
  });

  test("a value that the driver cannot write", async () => {
    const circular: unknown[] = [];
    circular.push({ circular });
    const db = open(await databaseForTest());
    const problem = await failure(db, sql`select ${circular[0]}::json`);
    expect(problem).toBeInstanceOf(TypeError);
    expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  });
});

test("a statement has no end where it is asked to have none", async () => {
  const db = open(await databaseForTest(), { statementTimeoutMs: 0 });
  const { rows } = await sql`show statement_timeout`.execute(db);
  expect(rows).toEqual([{ statement_timeout: "0" }]);
});

test("an idle connection that breaks is replaced", async () => {
  const url = await databaseForTest();
  const lost: string[] = [];
  const log = Object.assign(Object.create(silent), {
    warn: (_: unknown, message: string) => lost.push(message),
  });
  const db = connectPostgres(url, "test", log, { max: 1 });
  onTestFinished(() => db.destroy());
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(open(url));
  await waitFor(() => lost.length > 0);
  expect(lost).toEqual(["lost an idle Postgres connection"]);
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
});

test("closing waits for statements under way, and for nobody who hangs", async () => {
  const url = await databaseForTest();
  const polite = connectPostgres(url, "test", silent, { farewellMs: 60_000 });
  const slow = () => sql<{ one: number }>`select 1 as one, pg_sleep(0.2)`.execute(polite);
  await Promise.all([slow(), slow()]); // two connections, one of them idle at the end
  const last = slow();
  await setImmediate();
  await polite.destroy();
  expect((await last).rows).toMatchObject([{ one: 1 }]);

  const proxy = await TcpProxy.open(await freePort(), Number(new URL(url).port));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const db = connectPostgres(
    change(url, { hostname: "127.0.0.1", port: String(proxy.port) }),
    "test",
    silent,
    { farewellMs: 50 },
  );
  await sql`select 1`.execute(db);
  proxy.stall();
  const unanswered = failure(db, sql`select 1`);
  const connecting = failure(db, sql`select 1`);
  await setImmediate();
  await db.destroy();
  for (const cut of [await unanswered, await connecting]) expect(cut).toSatisfy(isUnavailable);
});
