import { sql } from "kysely";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type CustomTypes, type Decoded, decodeRaw } from "../casino/decode.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { Unavailable } from "../unavailable.ts";
import { registerType, removeType } from "./event-types.ts";
import { Registry } from "./registry.ts";

const server = await postgresForTest();
const db = connectPostgres(server.url, "test", silent);
afterAll(() => db.destroy());
await migrate(db);

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

/** What a client's `data` lacks by the schema that holds for it now, undefined when the type is unknown. */
const errors = (client = "casino", data: unknown = {}, type = "level_up") =>
  registry
    .of(client)(type)?.(data)
    .map(({ path }) => path);

const raw = (event: object) =>
  Buffer.from(JSON.stringify({ id: 1, created_at: "2022-01-10T12:34:56Z", ...event }));
const reads = (payload: Uint8Array) => (types: CustomTypes) => decodeRaw(payload, types);
const refusal = (decoded: Decoded) => (decoded.ok ? "none" : decoded.reason);

test("knows the types of the table", () => {
  expect(errors("casino", { app: "lobby", level: "info", message: "up" }, "monitor-app")).toEqual([]);
  expect(errors("casino", { app: "lobby", level: "loud" }, "monitor-app")).toEqual(["/message", "/level"]);
  expect(errors()).toBeUndefined();
  expect(errors("casino", {}, "bet")).toBeUndefined();
});

test("follows the table by itself: new, changed and removed types", async () => {
  await registerType(db, level, needs("a"));
  await waitFor(() => errors()?.join() === "/a");
  await registerType(db, level, needs("b"));
  await waitFor(() => errors()?.join() === "/b");
  await sql`update event_type_schemas set schema = '{"type":"object"}' where type = 'level_up'`.execute(db);
  await waitFor(() => errors()?.join() === "");
  await removeType(db, level);
  await waitFor(() => errors() === undefined);
});

test("a client's own schema goes before the one for all", async () => {
  await registerType(db, level, needs("common"));
  await registerType(db, { ...level, client: "acme-casino" }, needs("own"));
  await registry.refresh();
  expect(errors("acme-casino")).toEqual(["/own"]);
  expect(errors("casino")).toEqual(["/common"]);

  await removeType(db, level);
  await registry.refresh();
  expect(errors("acme-casino")).toEqual(["/own"]);
  expect(errors("casino")).toBeUndefined();

  await registerType(db, level, needs("common"));
  await removeType(db, { ...level, client: "acme-casino" });
  await registry.refresh();
  expect(errors("acme-casino")).toEqual(["/common"]);
});

test("two types with one schema do not lose it when one of them goes", async () => {
  await registerType(db, level, needs("a"));
  await registerType(db, { ...level, client: "acme-casino" }, needs("a"));
  await registry.refresh();
  await removeType(db, level);
  await registry.refresh();
  await registry.refresh();
  expect(errors("acme-casino")).toEqual(["/a"]);
});

test("a broken schema in the table refuses its own events only", async () => {
  await sql`insert into event_types (name) values ('level_up') on conflict do nothing`.execute(db);
  await sql`insert into event_type_schemas (type, schema) values ('level_up', '{"type":"objekt"}')`.execute(
    db,
  );
  await registry.refresh();
  expect(registry.of("casino")("level_up")?.({})).toEqual([
    {
      path: "",
      message: expect.stringMatching(/^cannot be checked, its registered schema is broken: The schema/),
    },
  ]);
  expect(errors("casino", { app: "lobby", level: "info", message: "up" }, "monitor-app")).toEqual([]);
});

describe("decode", () => {
  test("answers at once where it need not look again", () => {
    const start = raw({ type: "game_start", player_id: 1, game_id: 1 });
    const monitor = raw({ type: "monitor-app", data: { app: "lobby", level: "info", message: "up" } });
    expect(registry.decode("casino", reads(start))).toMatchObject({ ok: true });
    expect(registry.decode("casino", reads(monitor))).toMatchObject({ ok: true });
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
    expect(registry.decode("casino", monitor({}))).toMatchObject({ ok: true });
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
    expect(() => late.of("casino")("monitor-app")).toThrow(Unavailable);
    expect(late.decode("casino", start)).toMatchObject({ ok: true });
    await expect(late.decode("casino", monitor({}))).rejects.toThrow(Unavailable);
    await server.start();
    await waitFor(() => late.problem === undefined);
    expect(late.decode("casino", monitor({}))).toMatchObject({ ok: true });
    await late.close();
  });
});
