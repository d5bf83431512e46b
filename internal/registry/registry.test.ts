import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { postgresForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type CustomTypes, type Decoded, decodeRaw } from "../casino/decode.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { Unavailable } from "../service/unavailable.ts";
import { registerType, removeType } from "./event-types.ts";
import { Registry } from "./registry.ts";

const server = await postgresForTest();
const db = connectPostgres(server.url, "test", silent);
afterAll(() => db.destroy());
await migrateWithSamples(db);

const level = { type: "level_up", client: undefined };
const needs = (...required: string[]) => ({ type: "object", required });

let registry: Registry;
beforeEach(async () => {
  await server.start();
  await waitFor(() => sql`delete from event_type_schemas where type = 'level_up'`.execute(db));
  registry = Registry.start(db, silent);
  await registry.refresh();
  return () => registry.close();
});

const raw = (event: object) =>
  Buffer.from(JSON.stringify({ id: 1, created_at: "2022-01-10T12:34:56Z", ...event }));
const reads = (payload: Uint8Array) => (types: CustomTypes) => decodeRaw(payload, types);
const refusal = (decoded: Decoded) => (decoded.ok ? "none" : decoded.reason);

/** Where a client's `data` is wrong by the schema that holds for it now, undefined when the type is unknown. */
async function errors(client = "casino", data: unknown = {}, type = "level_up") {
  const decoded = await registry.decode(client, reads(raw({ type, data })));
  if (decoded.ok) return [];
  return decoded.reason === "unknown_type"
    ? undefined
    : decoded.errors.map(({ path }) => path.replace("/data", ""));
}

test("knows the types of the table", async () => {
  expect(await errors("casino", { app: "lobby", level: "info", message: "up" }, "monitor-app")).toEqual([]);
  expect(await errors("casino", { app: "lobby", level: "loud" }, "monitor-app")).toEqual([
    "/message",
    "/level",
  ]);
  expect(await errors()).toBeUndefined();
});

test("follows the table by itself: new, changed and removed types", async () => {
  await registerType(db, level, needs("a"));
  await waitFor(async () => (await errors())?.join() === "/a");
  await registerType(db, level, needs("b"));
  await waitFor(async () => (await errors())?.join() === "/b");
  await sql`update event_type_schemas set schema = '{"type":"object"}' where type = 'level_up'`.execute(db);
  await waitFor(async () => (await errors())?.join() === "");
  await removeType(db, level);
  await waitFor(async () => (await errors()) === undefined);
});

test("a client's own schema goes before the one for all", async () => {
  await registerType(db, level, needs("common"));
  await registerType(db, { ...level, client: "acme-casino" }, needs("own"));
  await registry.refresh();
  expect(await errors("acme-casino")).toEqual(["/own"]);
  expect(await errors("casino")).toEqual(["/common"]);

  await removeType(db, level);
  await registry.refresh();
  expect(await errors("acme-casino")).toEqual(["/own"]);
  expect(await errors("casino")).toBeUndefined();

  await registerType(db, level, needs("common"));
  await removeType(db, { ...level, client: "acme-casino" });
  await registry.refresh();
  expect(await errors("acme-casino")).toEqual(["/common"]);
});

test("two types with one schema do not lose it when one of them goes", async () => {
  await registerType(db, level, needs("a"));
  await registerType(db, { ...level, client: "acme-casino" }, needs("a"));
  await registry.refresh();
  await removeType(db, level);
  await registry.refresh();
  await registry.refresh();
  expect(await errors("acme-casino")).toEqual(["/a"]);
});

test("a broken schema in the table refuses its own events only", async () => {
  await sql`insert into event_types (name) values ('level_up') on conflict do nothing`.execute(db);
  await sql`insert into event_type_schemas (type, schema) values ('level_up', '{"type":"objekt"}')`.execute(
    db,
  );
  await registry.refresh();
  expect(await registry.decode("casino", reads(raw({ type: "level_up", data: {} })))).toMatchObject({
    reason: "invalid_event",
    errors: [
      {
        path: "/data",
        message: expect.stringMatching(/^cannot be checked, its registered schema is broken: The schema/),
      },
    ],
  });
  expect(await errors("casino", { app: "lobby", level: "info", message: "up" }, "monitor-app")).toEqual([]);
});

describe("decode", () => {
  test("answers at once what is no custom event", () => {
    const start = raw({ type: "game_start", player_id: 1, game_id: 1 });
    expect(registry.decode("casino", reads(start))).toMatchObject({ ok: true });
    expect(registry.decode("casino", reads(raw({ type: "bet" })))).toMatchObject({ reason: "invalid_event" });
    expect(registry.decode("casino", reads(Buffer.from("{")))).toMatchObject({ reason: "invalid_json" });
  });

  test("knows a type that was registered a moment ago, and a schema that was changed", async () => {
    const event = raw({ type: "level_up", data: { level: 7 } });
    expect(refusal(await registry.decode("casino", reads(event)))).toBe("unknown_type");
    await registerType(db, level, needs("other"));
    expect(await registry.decode("casino", reads(event))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path: "/data/other", message: "must have required property 'other'" }],
    });
    await registerType(db, level, needs("level"));
    expect(await registry.decode("casino", reads(event))).toMatchObject({ ok: true });
  });
});

describe("while Postgres is away", () => {
  const monitor = (extra: object) =>
    reads(raw({ type: "monitor-app", data: { app: "lobby", level: "info", message: "up", ...extra } }));
  const start = reads(raw({ type: "game_start", player_id: 1, game_id: 1 }));

  test("the last known types go on, and nothing is refused that may have changed", async () => {
    await server.stop();
    await expect(registry.refresh()).rejects.toThrow(Unavailable);
    expect(registry.problem).toBeUndefined();
    expect(registry.decode("casino", start)).toMatchObject({ ok: true });
    expect(await registry.decode("casino", monitor({}))).toMatchObject({ ok: true });
    await expect(registry.decode("casino", monitor({ more: 1 }))).rejects.toThrow(Unavailable);
    await server.start();
    await waitFor(
      async () => refusal(await registry.decode("casino", monitor({ more: 1 }))) === "invalid_event",
    );
  });

  test("at the start nothing is known or refused, until it is there", async () => {
    await server.stop();
    const late = Registry.start(db, silent);
    await expect(late.refresh()).rejects.toThrow(Unavailable);
    expect(late.problem).toMatch(/^the event types are not loaded yet: Postgres is away/);
    expect(late.decode("casino", start)).toMatchObject({ ok: true });
    await expect(late.decode("casino", monitor({}))).rejects.toThrow(Unavailable);
    await server.start();
    await waitFor(() => late.problem === undefined);
    expect(await late.decode("casino", monitor({}))).toMatchObject({ ok: true });
    await late.close();
  });

  test("no less than where it refuses the query for a reason that nobody foresaw", async () => {
    await sql`alter table event_type_schemas rename to elsewhere`.execute(db);
    await sql`create view event_type_schemas as select type, client_id, schema, 1 / (random() * 0)::int as never from elsewhere`.execute(
      db,
    );
    try {
      await expect(registry.refresh()).rejects.toThrow(Unavailable);
    } finally {
      await sql`drop view event_type_schemas`.execute(db);
      await sql`alter table elsewhere rename to event_type_schemas`.execute(db);
    }
    await registry.refresh();
  });
});

test("a look that the end cuts off leaves what waits for it to others", async () => {
  const asked = registry.decode("casino", reads(raw({ type: "level_up", data: {} })));
  await Promise.all([expect(asked).rejects.toThrow(Unavailable), registry.close()]);
});

test("a bug is none of Postgres' outages, and is said to be one", async () => {
  const said: object[] = [];
  const log = pino({}, { write: (line) => void said.push(JSON.parse(line)) });
  const broken = Registry.start({} as typeof db, log); // what no code may do
  const failure = await broken.refresh().catch((err: unknown) => err);
  expect(failure).toBeInstanceOf(TypeError);
  expect(said).toEqual([
    expect.objectContaining({ level: 50, msg: expect.stringContaining("this is a bug") }),
  ]);
  expect(broken.problem).toMatch(/^the event types are not loaded yet: /);
  await broken.close();
});
