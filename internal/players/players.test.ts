import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { postgresPlayers } from "./players.ts";

const never = new AbortController().signal;
const biggest = Number.MAX_SAFE_INTEGER;

async function withPlayers(url: string): Promise<Database> {
  const db = connectPostgres(url, "test", silent);
  await migrateWithSamples(db);
  await sql`insert into clients (id, name) values ('other', 'Another casino')`.execute(db);
  await sql`
    insert into players (client_id, id, email, last_signed_in_at) values
      ('other', 10, 'other@example.com', '2022-01-10 12:34:56.789999+00'),
      ('other', 1, 'never@example.com', null),
      ('other', ${biggest}, 'biggest@example.com', '2022-01-10 14:34:56+02')`.execute(db);
  return db;
}

describe("on a Postgres that is there", () => {
  let url: string;
  let db: Database;
  beforeAll(async () => {
    url = await databaseForTest();
    db = await withPlayers(url);
  });
  afterAll(() => db.destroy());

  const find = (...keys: { client: string; id: number | undefined }[]) =>
    postgresPlayers(db).find(keys, never);

  /** Sets what the database holds as the last sign-in of one player, as text in SQL. */
  const signIn = (at: string | null) =>
    sql`update players set last_signed_in_at = ${at}::timestamptz where (client_id, id) = ('other', 10)`.execute(
      db,
    );

  test("a player belongs to one client: the pair decides", async () => {
    expect(await find({ client: "casino", id: 10 }, { client: "other", id: 10 })).toEqual([
      { clientKnown: true, player: { email: "john@example.com", last_signed_in_at: expect.any(String) } },
      {
        clientKnown: true,
        player: { email: "other@example.com", last_signed_in_at: "2022-01-10T12:34:56.789Z" },
      },
    ]);
  });

  test("each key is answered in its place, repeated ones too", async () => {
    const john = { client: "casino", id: 10 };
    const unknown = { client: "casino", id: 999 };
    const nobody = { client: "other", id: undefined };
    const stranger = { client: "nowhere", id: 10 };
    const none = { client: "nowhere", id: undefined };
    const answers = await find(unknown, john, stranger, john, nobody, none, unknown);
    expect(answers.map(({ clientKnown, player }) => [clientKnown, player?.email])).toEqual([
      [true, undefined],
      [true, "john@example.com"],
      [false, undefined],
      [true, "john@example.com"],
      [true, undefined],
      [false, undefined],
      [true, undefined],
    ]);
  });

  test("a disabled client is none until it is enabled again", async () => {
    const someone = { client: "other", id: undefined };
    await sql`update clients set disabled_at = now() where id = 'other'`.execute(db);
    expect(await find(someone)).toMatchObject([{ clientKnown: false }]);
    await sql`update clients set disabled_at = null where id = 'other'`.execute(db);
    expect(await find(someone)).toMatchObject([{ clientKnown: true }]);
  });

  test("no key, no answer", async () => {
    expect(await find()).toEqual([]);
  });

  test("a thousand keys in one query", async () => {
    const keys = Array.from({ length: 1_000 }, (_, id) => ({ client: "casino", id: id + 1 }));
    const answers = await find(...keys);
    const known = answers.flatMap(({ player }, index) => (player === undefined ? [] : [index + 1]));
    expect([answers.length, known]).toEqual([1_000, [10, 11, 12, 13, 14]]);
  });

  test("the biggest id", async () => {
    const answers = await find({ client: "other", id: biggest }, { client: "other", id: biggest - 1 });
    expect(answers.map(({ player }) => player)).toEqual([
      { email: "biggest@example.com", last_signed_in_at: "2022-01-10T12:34:56.000Z" },
      undefined,
    ]);
  });

  test("who never signed in", async () => {
    expect(await find({ client: "other", id: 1 })).toMatchObject([{ player: { last_signed_in_at: null } }]);
  });

  test("milliseconds are truncated, never rounded", async () => {
    const micros = fc.integer({ min: 0, max: 999_999 });
    const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });
    await fc.assert(
      fc.asyncProperty(seconds, micros, async (second, micro) => {
        const digits = String(micro).padStart(6, "0");
        const text = new Date(second * 1000).toISOString().replace(".000Z", `.${digits}Z`);
        await signIn(text);
        const [answer] = await find({ client: "other", id: 10 });
        expect(answer?.player?.last_signed_in_at).toBe(parseTimestamp(text));
      }),
      { numRuns: 200 },
    );
  });

  test.each(["infinity", "-infinity", "10000-01-01Z", "294276-12-31Z", "4713-01-01 BC"])(
    "a time that the pipeline's form cannot hold (%s) counts as none",
    async (at) => {
      await signIn(at);
      expect(await find({ client: "other", id: 10 })).toEqual([
        { clientKnown: true, player: { email: "other@example.com", last_signed_in_at: null } },
      ]);
    },
  );

  test("a database with another style and zone for dates gives the same", async () => {
    await signIn("2022-01-10T12:34:56.789Z");
    const [name] = (await sql<{ name: string }>`select current_database() as name`.execute(db)).rows;
    for (const setting of ["datestyle to 'SQL, DMY'", "timezone to 'Asia/Kolkata'"])
      await sql`alter database ${sql.id(name?.name ?? "")} set ${sql.raw(setting)}`.execute(db);
    const fresh = connectPostgres(url, "test", silent);
    onTestFinished(() => fresh.destroy());
    expect(await postgresPlayers(fresh).find([{ client: "other", id: 10 }], never)).toMatchObject([
      { player: { last_signed_in_at: "2022-01-10T12:34:56.789Z" } },
    ]);
  });

  test("nothing is kept: a change between two look-ups is seen", async () => {
    const players = postgresPlayers(db);
    const key = { client: "other", id: 1 };
    expect(await players.find([key], never)).toMatchObject([{ player: { email: "never@example.com" } }]);
    await sql`update players set email = 'new@example.com' where (client_id, id) = ('other', 1)`.execute(db);
    expect(await players.find([key], never)).toMatchObject([{ player: { email: "new@example.com" } }]);
    await sql`delete from players where (client_id, id) = ('other', 1)`.execute(db);
    expect(await players.find([key], never)).toEqual([{ clientKnown: true, player: undefined }]);
  });

  test("an abort ends a look-up that waits, with the signal's reason; the next one works", async () => {
    const players = postgresPlayers(db);
    const key = { client: "casino", id: 10 };
    const stop = new AbortController();
    await db.transaction().execute(async (transaction) => {
      await sql`lock table players`.execute(transaction);
      const waiting = players.find([key], stop.signal);
      await waitFor(async () => {
        const blocked = sql`select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())`;
        return (await blocked.execute(db)).rows.length > 0;
      });
      stop.abort(new Error("no time left"));
      await expect(waiting).rejects.toThrow("no time left");
    });
    await expect(players.find([key], stop.signal)).rejects.toThrow("no time left");
    expect(await players.find([key], never)).toMatchObject([{ player: { email: "john@example.com" } }]);
  });

  test("an id that no bigint can hold is not taken for an outage", async () => {
    const error = await find({ client: "casino", id: 2 ** 63 }).catch((err: unknown) => err);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toSatisfy(isUnavailable);
  });
});

test("while Postgres is away every look-up is Unavailable; it answers again when it is back", async () => {
  const postgres = await postgresForTest();
  const db = await withPlayers(postgres.url);
  onTestFinished(() => db.destroy());
  const players = postgresPlayers(db);
  const key = { client: "other", id: biggest };
  await expect(players.find([key], never)).resolves.toMatchObject([
    { player: { email: "biggest@example.com" } },
  ]);
  await postgres.kill();
  // A killed server's connections still work for a moment.
  const error = await waitFor(() =>
    players.find([key], never).then(
      () => undefined,
      (err: unknown) => err,
    ),
  );
  expect(error).toSatisfy(isUnavailable);
  await postgres.start();
  await expect(players.find([key], never)).resolves.toMatchObject([
    { player: { email: "biggest@example.com" } },
  ]);
});

test("before the migrations have run a look-up is Unavailable", async () => {
  const db = connectPostgres(await databaseForTest(), "test", silent);
  onTestFinished(() => db.destroy());
  const error = await postgresPlayers(db)
    .find([{ client: "casino", id: 10 }], never)
    .catch((err: unknown) => err);
  expect(error).toSatisfy(isUnavailable);
});
