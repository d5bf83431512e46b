import { sql } from "kysely";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { table } from "../../test/harness/docs-table.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { findEvents } from "../archive/find-events.ts";
import { EventsTable, insertOf } from "../archive/insert.ts";
import { deleteOlderThan } from "../archive/retention.ts";
import { hashOf, prefixOf } from "../clients/api-key.ts";
import {
  addClient,
  createKey,
  hasClient,
  listClients,
  listKeys,
  revokeKey,
} from "../clients/client-repository.ts";
import { postgresKeys } from "../clients/key-lookup.ts";
import { endSession, openSession, postgresSessions } from "../clients/sessions.ts";
import { gameKind } from "../games/game-kind.ts";
import { GameTitles } from "../games/game-titles.ts";
import { customEvents } from "../generator/custom.ts";
import { playerKind } from "../players/player-kind.ts";
import { postgresPlayers } from "../players/players.ts";
import { postgresRecords } from "../records/postgres-records.ts";
import { listChanges, listTypes, registerType, removeType } from "../registry/event-types.ts";
import { Registry } from "../registry/registry.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { deleteDeliveriesOlderThan, findDeliveries, recordDeliveries } from "../webhooks/deliveries.ts";
import { finishRequest, noteProgress, openRequests, requestResend } from "../webhooks/delivery-requests.ts";
import { type DestinationSettings, defaultSettings } from "../webhooks/destination.ts";
import { Destinations } from "../webhooks/destinations.ts";
import { resealDestinations } from "../webhooks/reseal.ts";
import { SecretBox } from "../webhooks/secret-box.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { type DatabaseUser, databaseUsers, ensureRoles, grants } from "./roles.ts";

const signal = new AbortController().signal;
// The same in every test file: the roles are all databases'.
const passwords = Object.fromEntries(databaseUsers.map((user) => [user, `${user}-password`]));
const shared = await databaseForTest();
const owner = connectPostgres(shared, "test", silent);
await migrateWithSamples(owner);
expect(await ensureRoles(owner, passwords)).toEqual([]);

function open(url: string): Database {
  const db = connectPostgres(url, "test", silent);
  onTestFinished(() => db.destroy());
  return db;
}

function as(user: DatabaseUser, prefix = "casino_", database = shared): Database {
  const password = passwords[user] ?? "";
  return open(Object.assign(new URL(database), { username: prefix + user, password }).href);
}

/** Whether a role has a right on a table, or on a column of it. */
async function holds(db: Database, role: string, of: string, right: string): Promise<boolean | undefined> {
  const held = sql<{ held: boolean }>`select has_any_column_privilege(${role}, ${of}, ${right}) as held`;
  return (await held.execute(db)).rows[0]?.held;
}

const row = {
  client: "casino",
  source: "test",
  event: {
    id: 1,
    type: "game_start",
    player_id: 10,
    game_id: 100,
    created_at: "2022-01-10T12:34:56.000Z",
    description: "",
  },
  storedAt: 0,
} as const;

const box = new SecretBox([Buffer.alloc(32)]);
const destination: DestinationSettings = { ...defaultSettings, url: "https://example.com" };

describe("each service's queries work under its own role", () => {
  test("enricher", async () => {
    const db = as("enricher");
    const [found] = await postgresPlayers(db).find([{ client: "casino", id: 10 }], signal);
    expect(found?.player?.email).toBe("john@example.com");
    const titles = GameTitles.start(db, silent);
    onTestFinished(() => titles.close());
    await waitFor(() => titles.problem === undefined);
    expect(titles.titleOf("casino", 100)).toBe("Rocket Dice");
    await withRegistry(db);
  });

  test("gateway", async () => {
    const db = as("gateway");
    const key = (await createKey(owner, { client: "casino", source: "test" })) ?? expect.fail("no key");
    const found = await postgresKeys(db)([hashOf(key), Buffer.alloc(32)], signal);
    expect([...found.keys()]).toEqual([hashOf(key).toString("base64")]);
    expect(await hasClient(db, "casino")).toBe(true);
    expect(await findEvents(db, { client: "casino", limit: 10 })).toMatchObject({ next_cursor: null });
    const players = postgresRecords(db, playerKind);
    const player = { id: 99, email: "new@example.com", last_signed_in_at: null };
    expect(await players.put("casino", [player], signal)).toBe(1);
    expect(await players.put("casino", [player], signal)).toBe(0);
    expect(await players.find("casino", 99, signal)).toEqual(player);
    expect(await players.remove("casino", 99, signal)).toBe(true);
    const destinations = new Destinations(db, box);
    const { id } = await destinations.create("casino", destination);
    await withDestinations(db, id);
    const games = postgresRecords(db, gameKind);
    expect(await games.put("casino", [{ id: 99, title: "New" }], signal)).toBe(1);
    expect(await games.put("casino", [{ id: 99, title: "Newer" }], signal)).toBe(0);
    expect(await games.remove("casino", 99, signal)).toBe(true);
    await withRegistry(db);
    // What the dashboard does.
    const known = await postgresKeys(db)([hashOf(key ?? "")], signal);
    const opened = await openSession(db, [...known.values()][0] ?? expect.fail("no key"));
    expect(await postgresSessions(db)([hashOf(opened.token)], signal)).toHaveProperty("size", 1);
    await endSession(db, opened.token);
    expect(
      await revokeKey(db, prefixOf((await createKey(db, { client: "casino", source: "more" })) ?? "")),
    ).toBe(1);
    expect(await registerType(db, { type: "mine", client: undefined }, { type: "object" })).toBe(
      "registered",
    );
    expect(await removeType(db, { type: "mine", client: undefined })).toBe(true);
  });

  test("archiver", async () => {
    const db = as("archiver");
    expect(await new EventsTable(db).add(insertOf([row]), signal)).toBe(1);
    expect(await new EventsTable(db).add(insertOf([row]), signal)).toBe(0);
    expect(await deleteOlderThan(db, 1_000, 10, signal)).toBe(1);
  });

  test("generator", async () => {
    expect(await customEvents(as("generator"), "casino", "transaction_approved")).toBeTypeOf("function");
  });

  test("sender", async () => {
    const db = as("sender");
    const ours = new Destinations(owner, box);
    const { id } = await ours.create("casino", destination);
    const destinations = new Destinations(db, box);
    expect((await destinations.all()).destinations).toMatchObject([{ id }]);
    await destinations.markFailing(id, new Date());
    await destinations.markHealthy(id);
    expect(await destinations.disable(id, "because")).toBe(true);
    const event = { client: "casino", source: "test", id: 1, type: "bet" };
    const result = { durationMs: 1, answer: "", at: new Date(0) };
    const attempt = { webhookId: "evt_1", attempt: 1, outcome: "delivered" } as const;
    await recordDeliveries(db, [{ destination: id, event, result, ...attempt }]);
    expect(await deleteDeliveriesOlderThan(db, 1_000, 10)).toBe(1);
    const request = await requestResend(owner, { id, client: "casino" }, event);
    expect(await openRequests(db, [id])).toMatchObject([{ id: request }]);
    await noteProgress(db, request, { position: {}, sent: 1 });
    await finishRequest(db, request);
    await ours.remove(id, "casino");
  });

  test("operator", async () => {
    const db = as("operator");
    const destinations = new Destinations(db, box);
    const { id } = await destinations.create("casino", destination);
    await withDestinations(db, id);
    expect(await addClient(db, "new-casino", "A new one")).toBe(true);
    expect(await listClients(db)).toContainEqual(expect.objectContaining({ id: "new-casino" }));
    await createKey(db, { client: "new-casino", source: "test" });
    const players = postgresRecords(db, playerKind);
    const player = { id: 1, email: "new@example.com", last_signed_in_at: null };
    expect(await players.put("new-casino", [player], signal)).toBe(1);
    expect(await players.put("new-casino", [player], signal)).toBe(0);
    expect(await postgresRecords(db, gameKind).put("new-casino", [{ id: 1, title: "New" }], signal)).toBe(1);
    const [key] = await listKeys(db, "new-casino");
    expect(await revokeKey(db, key?.prefix ?? "")).toBe(1);
    const type = { type: "new_type", client: "new-casino" };
    expect(await registerType(db, type, { type: "object" })).toBe("registered");
    expect(await registerType(db, type, { type: "object", required: ["a"] })).toBe("changed");
    expect(await listTypes(db)).toContainEqual(expect.objectContaining(type));
    expect(await removeType(db, type)).toBe(true);
    expect((await listChanges(db, type)).map(({ change }) => change)).toEqual([
      "removed",
      "replaced",
      "registered",
    ]);
    expect(await findEvents(db, { client: "casino", limit: 10 })).toMatchObject({ next_cursor: null });
    await withRegistry(db);
  });

  async function withDestinations(db: Database, id: string): Promise<void> {
    const destinations = new Destinations(db, box);
    await destinations.update(id, "casino", { batch: 2 });
    expect(await destinations.rotate(id, "casino")).toMatch(/^whsec_/);
    expect(await resealDestinations(db, box)).toBe(0);
    expect(await findDeliveries(db, { client: "casino", withAnswers: true, limit: 1 })).toMatchObject({
      deliveries: [],
    });
    await requestResend(db, { id, client: "casino" }, { source: "test", id: 1 });
    expect(await destinations.remove(id, "casino")).toBe(true);
  }

  async function withRegistry(db: Database): Promise<void> {
    const registry = Registry.start(db, silent);
    await registry.refresh();
    await registry.close();
  }
});

describe("and nothing else does", () => {
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
  await sql`select from events`.execute(as("gateway", "casino_", env.DATABASE_URL));
  const bad = startCommand("cmd/migrate/main.ts", {
    env: { ...env, DATABASE_PASSWORDS: "gateway=a,logger=secret" },
  });
  expect(await bad.ended).toEqual({ code: 78, signal: null });
  expect(bad.stderr).toContain(
    "DATABASE_PASSWORDS must name only enricher, gateway, archiver, generator, sender, operator, not logger.",
  );
  expect(good.stderr + bad.stderr).not.toMatch(/gateway-password|secret/);
});
