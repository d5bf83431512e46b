import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { tables } from "../../internal/backup/format.ts";
import { connectPostgres, type Database } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { plantSamples } from "../../internal/samples/samples.ts";
import { silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { runCommand as backUp } from "../backup/run.ts";
import { runCommand as restore } from "./run.ts";

const folder = tempFolder("backup");
const whole = join(folder, "whole.backup");
const migrated = { prepare: (url: string): Promise<unknown> => withDatabase(url, (db) => migrate(db)) };
const sourceUrl = await databaseForTest(migrated);
let saved: Contents;

type Contents = Readonly<Record<string, readonly string[]>>;

async function withDatabase<T>(url: string, work: (db: Database) => Promise<T>): Promise<T> {
  await using db = connectPostgres(url, "test", silent, { max: 1, statementTimeoutMs: 0 });
  return await work(db);
}

const filesOf = (name: string) => readdirSync(folder).filter((file) => file.startsWith(name));

/** What a backup is given where nobody reads what it says. */
const quiet = (db: Database) => ({ db, say: () => undefined, remark: () => undefined });

/** A new database, with this version's schema and nothing else. */
async function newDatabase(prepare = migrated.prepare): Promise<{ url: string; db: Database }> {
  const url = await databaseForTest({ prepare });
  const db = connectPostgres(url, "test", silent, { statementTimeoutMs: 0 });
  onTestFinished(() => db.destroy());
  return { url, db };
}

async function contents(db: Database): Promise<Contents> {
  const all: Record<string, readonly string[]> = {};
  for (const table of tables) {
    const { rows } = await sql<{ row: string }>`
      select to_jsonb(it)::text as row from ${sql.table(table)} it order by 1`.execute(db);
    all[table] = rows.map(({ row }) => row);
  }
  return all;
}

/** Restores it, and gives what was said about it. */
async function restoring(
  db: Database,
  file: string,
  how: { readonly replace?: boolean; readonly yes?: boolean; readonly answer?: boolean } = {},
): Promise<string> {
  let said = "";
  const { replace = false, yes = false, answer = false } = how;
  await restore(
    { file, replace, yes },
    {
      db,
      say: (text) => (said += text),
      remark: (text) => (said += text),
      ask: async (question) => {
        said += `${question}\n`;
        return answer;
      },
      signal: AbortSignal.timeout(60_000),
    },
  );
  return said;
}

beforeAll(async () => {
  await withDatabase(sourceUrl, async (db) => {
    await plantSamples(db);
    await sql`
      insert into api_keys (client_id, source, prefix, hash)
        select 'casino', 'crm', 'cc_' || n, decode(lpad(to_hex(n), 64, '0'), 'hex') from generate_series(1, 3) n`.execute(
      db,
    );
    // Its number is not given out once more.
    await sql`delete from api_keys where prefix = 'cc_3'`.execute(db);
    await sql`insert into destinations (id, client_id, url, types, headers)
      values ('abcdefghij012345', 'casino', 'https://example.com/', '{bet,"a,b"}', 'encrypted')`.execute(db);
    await sql`insert into destination_secrets (destination_id, secret) values ('abcdefghij012345', 'v1.x')`.execute(
      db,
    );
    // What the text form of COPY has to escape, the line that ends a table above all, in more than one chunk.
    await sql`insert into events (client_id, source, id, type, player_id, created_at, data, player_email, description, rate, stored_at)
      select 'casino', 'crm', n, 'bet', 10, '2022-02-02T23:45:00.123456Z', ${'{"a":"\\n\\u00e9 \\\\. "}'}::json, 'before@example.com',
        E'\\\\.\n\\.\n\t\\N ' || n || repeat('x', case n when 7 then 700000 else 10 end), 1.50, now() from generate_series(1, 1000) n`.execute(
      db,
    );
    // Of an earlier address than the player's: to archive them now would leave it out.
    await sql`insert into erasures values ('casino', 10, now(), 'test', '{}')`.execute(db);
    await backUp({ file: whole }, { ...quiet(db), signal: AbortSignal.timeout(60_000) });
    saved = await contents(db);
  });
});

test("what is restored is what was backed up, table by table, and goes on numbering after it", async () => {
  const { db } = await newDatabase();
  expect(await restoring(db, whole)).toMatch(
    /^[\d,]+ rows restored, 1,000 of them events, as of 20.*Z\.\nWhere the archiver had stored later events, .*\n$/,
  );
  expect(await contents(db)).toEqual(saved);
  expect(saved.events).toHaveLength(1000);

  const key = db
    .insertInto("api_keys")
    .values({ client_id: "casino", source: "crm", prefix: "cc_4", hash: Buffer.alloc(32, 1) })
    .returning("id");
  expect(await key.execute()).toEqual([{ id: "4" }]);
  // Its triggers are there again.
  await expect(sql`update events set client_id = 'nobody' where id = 1`.execute(db)).rejects.toThrow(
    "client 'nobody' is not registered",
  );
  const version = db.selectFrom("game_versions").select("version").where("client_id", "=", "casino");
  const before = await version.executeTakeFirstOrThrow();
  await db.deleteFrom("games").where("id", "=", "100").execute();
  expect(Number((await version.executeTakeFirstOrThrow()).version)).toBe(Number(before.version) + 1);
});

test("every table is in it", async () => {
  const { db } = await newDatabase();
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
      and not relispartition and relname not like 'kysely%' order by 1`.execute(db);
  expect(rows.map(({ name }) => name)).toEqual(tables.toSorted());
});

test("the commands write a file that only its owner may read, in the place of an older one, and take it back", async () => {
  const file = join(folder, "again.backup");
  writeFileSync(file, "older", { mode: 0o644 });
  const command = await runHere("cmd/backup/main.ts", [file], { env: { DATABASE_URL: sourceUrl } });
  expect(command.code).toBe(0);
  expect(command.stdout).toMatch(/^[\d,]+ rows backed up, 1,000 of them events\.\n$/);

  expect(statSync(file).mode & 0o777).toBe(0o600);

  const { url, db } = await newDatabase();
  const back = await runHere("cmd/restore/main.ts", [file], { env: { DATABASE_URL: url } });
  expect(back).toMatchObject({ code: 0, stdout: expect.stringMatching(/rows restored/) });
  expect(await contents(db)).toEqual(saved);

  await withDatabase(sourceUrl, (db) =>
    expect(
      backUp(
        { file: join(folder, "absent/x.backup") },
        { ...quiet(db), signal: AbortSignal.timeout(60_000) },
      ),
    ).rejects.toThrow(/^The file cannot be written: ENOENT/),
  );
});

describe("refuses, and changes nothing:", () => {
  let target: Database;
  beforeAll(async () => {
    target = connectPostgres(await databaseForTest(migrated), "test", silent, { statementTimeoutMs: 0 });
  });
  afterAll(() => target.destroy());
  const bytes = () => readFileSync(whole);
  const lines = () => gunzipSync(bytes()).toString().split("\n");
  const afterHeader = (text: string) => gzipSync(text);

  test.each([
    [
      "a file that was cut off",
      () => bytes().subarray(0, bytes().length - 30),
      /cut off \(unexpected end of file\)/,
    ],
    [
      "one whose checksum is wrong",
      () => Buffer.concat([bytes().subarray(0, -8), Buffer.alloc(8)]),
      /incorrect data check/,
    ],
    [
      "one that was cut off before it was compressed",
      () => afterHeader(lines().slice(0, -2).join("\n")),
      /it ends too early|ends/,
    ],
    [
      "one that lacks a row",
      () =>
        afterHeader(
          lines()
            .filter((line) => !line.startsWith("casino\t102\t"))
            .join("\n"),
        ),
      /not the rows that it should have/,
    ],
    ["one that goes on", () => afterHeader(`${lines().join("\n")}more\n`), /goes on after its end/],
    ["what is no backup", () => Buffer.from("id,email\n"), /^This is no backup/],
    ["what is another's", () => gzipSync('{"croupier_backup":2}\n'), /^This is no backup/],
    [
      "rows that the schema does not take",
      () => afterHeader(lines().join("\n").replace("\ncasino\tThe casino", "\nCASINO!\tThe casino")),
      /does not fit this database/,
    ],
  ])("%s", async (_, made, message) => {
    const file = join(folder, "bad.backup");
    writeFileSync(file, made());
    const before = await contents(target);
    await expect(restoring(target, file)).rejects.toThrow(message);
    expect(await contents(target)).toEqual(before);
  });

  test("a database with other migrations, or none", async () => {
    const older = await newDatabase((url) => withDatabase(url, (db) => migrate(db, "0006_games")));
    await expect(restoring(older.db, whole)).rejects.toThrow(
      /that of 0006_games: run croupier migrate there first\.$/,
    );
    const empty = await newDatabase(async () => undefined);
    await expect(restoring(empty.db, whole)).rejects.toThrow(/^The database is empty/);
    const newer = await newDatabase();
    await sql`insert into kysely_migration values ('9999_future', '')`.execute(newer.db);
    await expect(restoring(newer.db, whole)).rejects.toThrow(/restore it with the Croupier that wrote it/);
  });

  test("one that is used, unless it is to be replaced and that is confirmed", async () => {
    const { db } = await newDatabase();
    await plantSamples(db);
    const before = await contents(db);
    await expect(restoring(db, whole)).rejects.toThrow(
      /^The database is already used \(clients, event_types, .*players/,
    );
    await expect(restoring(db, whole, { replace: true, answer: false })).rejects.toThrow(
      "Nothing was changed.",
    );
    expect(await contents(db)).toEqual(before);

    expect(await restoring(db, whole, { replace: true, answer: true })).toMatch(
      /^Delete everything in the database/,
    );
    expect(await contents(db)).toEqual(saved);
    expect(await restoring(db, whole, { replace: true, yes: true })).not.toMatch(/Delete/);
    expect(await contents(db)).toEqual(saved);
  });

  test("a user who does not own the tables", async () => {
    const role = `reader_${process.pid}`;
    await sql`create role ${sql.id(role)} login password 'reader'`.execute(target);
    onTestFinished(async () => {
      await sql`drop role ${sql.id(role)}`.execute(target);
    });
    const url = new URL(sourceUrl);
    [url.username, url.password] = [role, "reader"];
    const file = join(folder, "none.backup");
    await withDatabase(url.href, (limited) =>
      expect(backUp({ file }, { ...quiet(limited), signal: AbortSignal.timeout(60_000) })).rejects.toThrow(
        /take the one that owns the tables/,
      ),
    );
    expect(filesOf("none.backup")).toEqual([]);
  });
});

test("one that is stopped leaves no file and no rows behind", async () => {
  const file = join(folder, "stopped.backup");
  const signal = AbortSignal.abort(new Error("Stopped."));
  await withDatabase(sourceUrl, (db) =>
    expect(backUp({ file }, { ...quiet(db), signal })).rejects.toThrow("Stopped."),
  );
  expect(filesOf("stopped.backup")).toEqual([]);
});

test("two at once to one file leave one of them whole", async () => {
  const file = join(folder, "twice.backup");
  const one = () =>
    withDatabase(sourceUrl, (db) => backUp({ file }, { ...quiet(db), signal: AbortSignal.timeout(60_000) }));
  await Promise.all([one(), one()]);
  expect(filesOf("twice.backup")).toEqual(["twice.backup"]);
  const { db } = await newDatabase();
  await restoring(db, file);
  expect(await contents(db)).toEqual(saved);
});

test("a reader of stdout that goes away ends it without a word, and not as a success", async () => {
  const command = startCommand("cmd/backup/main.ts", { args: ["-"], env: { DATABASE_URL: sourceUrl } });
  command.child.stdout?.destroy();
  expect(await command.ended).toEqual({ code: 1, signal: null });
  expect(command.stderr).toBe("");
});
