import { sql } from "kysely";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { startCommand } from "../../test/harness/command.ts";
import { table } from "../../test/harness/docs-table.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { postgresPlayers } from "../players/players.ts";
import { listTypes } from "../registry/event-types.ts";
import { isUnavailable } from "../service/unavailable.ts";
import type { Database } from "./connect.ts";
import { open, passwords, rolesForTest } from "./roles.fixture.ts";
import { databaseUsers, ensureRoles, grants } from "./roles.ts";

const signal = new AbortController().signal;
const { shared, owner, as } = await rolesForTest();

/** Whether a role has a right on a table, or on a column of it. */
async function holds(db: Database, role: string, of: string, right: string): Promise<boolean | undefined> {
  const held = sql<{ held: boolean }>`select has_any_column_privilege(${role}, ${of}, ${right}) as held`;
  return (await held.execute(db)).rows[0]?.held;
}

describe("a service's role has its rights and no others", () => {
  test.each(databaseUsers)("%s has no right that is not in its list", async (user) => {
    const role = `casino_${user}`;
    const { rows } = await sql<{ right: string }>`
      select format('%s %s', relname, lower(kind)) as right
      from pg_class, unnest('{SELECT,INSERT,UPDATE,REFERENCES,DELETE,TRUNCATE,TRIGGER}'::text[]) as kind
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
        and case when kind in ('DELETE', 'TRUNCATE', 'TRIGGER') then has_table_privilege(${role}, oid, kind)
          else has_any_column_privilege(${role}, oid, kind) end`.execute(owner);
    const listed = Object.entries(grants[user]).flatMap(([name, rights]: [string, string]) =>
      rights.split(/, (?![^(]*\))/).map((right) => `${name} ${right.replace(/ \(.*/, "")}`),
    );
    expect(rows.map(({ right }) => right).sort()).toEqual(listed.sort());
  });

  test.each([
    ["enricher", "select hash from api_keys"],
    ["enricher", "update players set email = 'x'"],
    ["gateway", "update api_keys set hash = ''"],
    ["gateway", "delete from api_keys"],
    ["gateway", "delete from events"],
    ["gateway", "update players set client_id = 'lucky-spin'"],
    ["gateway", "update game_versions set version = 1"],
    ["archiver", "select * from players"],
    ["archiver", "update events set amount = 0"],
    ["archiver", "truncate events"],
    ["generator", "select * from events"],
    ["sender", "update destinations set url = 'https://elsewhere'"],
    ["sender", "update destination_secrets set secret = ''"],
    ["sender", "select email from players"],
    ["gateway", "insert into deliveries default values"],
    ["operator", "update api_keys set hash = ''"],
    ["operator", "delete from events"],
    ["operator", "delete from event_type_changes"],
    ["gateway", "insert into event_type_changes default values"],
    ["operator", "drop table events"],
    ["operator", "create table mine ()"],
    ["operator", "create role mine"],
  ] as const)("%s may not %s", async (user, query) => {
    await expect(sql.raw(query).execute(as(user))).rejects.toMatchObject({ code: "42501" });
  });

  test("a user of one's own who is a member of a role may what the role may", async () => {
    const name = `member_${process.pid}`;
    await sql.raw(`create role ${name} login password 'member' in role casino_generator`).execute(owner);
    const db = open(Object.assign(new URL(shared), { username: name, password: "member" }).href);
    expect(await listTypes(db)).not.toEqual([]);
    await expect(sql`select from events`.execute(db)).rejects.toMatchObject({ code: "42501" });
  });

  test("a service under another's role waits, as for a database that is away", async () => {
    const find = postgresPlayers(as("generator")).find([{ client: "casino", id: 10 }], signal);
    await expect(find).rejects.toSatisfy(isUnavailable);
  });
});

test("security.md lists the rights", () => {
  const listed = table("docs/security.md", "Who may do what in the database");
  expect(listed).toEqual(
    databaseUsers.flatMap((user) =>
      Object.entries(grants[user]).map(([name, rights]) => [`casino_${user}`, name, rights]),
    ),
  );
});

/** A database of somebody who may make no roles. */
async function limitedOwner(): Promise<string> {
  const name = `limited_${process.pid}`;
  const admin = new pg.Client({ connectionString: shared });
  await admin.connect();
  await admin.query(`create role ${name} login password 'limited'`);
  await admin.query(`grant ${name} to casino`);
  await admin.query(`create database ${name} owner ${name} template template0`);
  await admin.end();
  return Object.assign(new URL(shared), { username: name, password: "limited", pathname: `/${name}` }).href;
}

describe("roles that are missing", () => {
  test("are made by any number of processes at once, in several databases", async () => {
    const prefix = `many_${process.pid}_`;
    const databases = [open(await databaseForTest()), open(await databaseForTest())];
    for (const db of databases) await migrateWithSamples(db);
    const runs = [1, 2, 3].flatMap(() => databases.map((db) => ensureRoles(db, passwords, prefix)));
    expect(await Promise.all(runs)).toEqual(runs.map(() => []));
    for (const db of databases) expect(await holds(db, `${prefix}gateway`, "clients", "select")).toBe(true);
  });

  test("and may not be made here are said in one sentence, and nothing else fails", async () => {
    const db = open(await limitedOwner());
    await migrateWithSamples(db);
    expect(await ensureRoles(db, {}, "nobodys_")).toEqual([
      expect.stringMatching(
        /^this user may not make the services' own roles: .*"create role nobodys_enricher; .*", then migrate again$/,
      ),
    ]);
    // Those that another has made get their rights here, and keep their passwords.
    expect(await ensureRoles(db, { gateway: "x" })).toEqual([
      expect.stringContaining("this user may not set the password of casino_gateway"),
    ]);
    expect(await holds(db, "casino_gateway", "clients", "select")).toBe(true);
  });
});

test("rights that were taken or added are set right again", async () => {
  const db = open(await databaseForTest());
  await migrateWithSamples(db);
  await ensureRoles(db);
  await sql`revoke select on players from casino_enricher`.execute(db);
  await sql`grant update on players to casino_enricher`.execute(db);
  await sql`grant update (amount) on events to casino_archiver`.execute(db);
  await ensureRoles(db);
  expect(await holds(db, "casino_enricher", "players", "select")).toBe(true);
  expect(await holds(db, "casino_enricher", "players", "update")).toBe(false);
  expect(await holds(db, "casino_archiver", "events", "update")).toBe(false);
});

test("migrate sets passwords, and refuses those of nobody", async () => {
  const env = { DATABASE_URL: await databaseForTest() };
  const good = startCommand("cmd/migrate/main.ts", {
    env: { ...env, DATABASE_PASSWORDS: "gateway=gateway-password,archiver=archiver-password" },
  });
  expect(await good.ended).toEqual({ code: 0, signal: null });
  await sql`select from events`.execute(as("gateway", env.DATABASE_URL));
  const bad = startCommand("cmd/migrate/main.ts", {
    env: { ...env, DATABASE_PASSWORDS: "gateway=a,logger=secret" },
  });
  expect(await bad.ended).toEqual({ code: 78, signal: null });
  expect(bad.stderr).toContain(
    "DATABASE_PASSWORDS must name only enricher, gateway, archiver, generator, sender, operator, not logger.",
  );
  expect(good.stderr + bad.stderr).not.toMatch(/gateway-password|secret/);
});
