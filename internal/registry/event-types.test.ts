import { sql } from "kysely";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { addClient, removeClient } from "../clients/client-repository.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { Unavailable } from "../service/unavailable.ts";
import { RegistrationError } from "./data-check.ts";
import { listChanges, listTypes, registerType, removeType } from "./event-types.ts";

const db = connectPostgres(await databaseForTest(), "test", silent);
afterAll(() => db.destroy());
await migrateWithSamples(db);

const forAll = { type: "level_up", client: undefined };
const forAcme = { type: "level_up", client: "acme-casino" };
const keys = async () => (await listTypes(db)).map(({ type, client }) => ({ type, client }));

beforeEach(async () => {
  await sql`delete from event_type_schemas where type = 'level_up'`.execute(db);
});

test("the examples are registered for all clients", async () => {
  expect(await keys()).toEqual([
    { type: "monitor-app", client: undefined },
    { type: "transaction_approved", client: undefined },
  ]);
});

test("a type is registered, changed, and removed, for all and for one client", async () => {
  expect(await registerType(db, forAcme, { type: "object", required: ["a"] })).toBe("registered");
  expect(await registerType(db, forAll, { type: "object" })).toBe("registered");
  expect((await keys()).slice(0, 2)).toEqual([forAll, forAcme]);

  const [before] = await listTypes(db);
  expect(await registerType(db, forAll, { type: "object", required: ["b"] })).toBe("changed");
  const [after, own] = await listTypes(db);
  expect(after?.schema).toEqual({ type: "object", required: ["b"] });
  expect(after?.updatedAt.getTime()).toBeGreaterThan(before?.updatedAt.getTime() ?? 0);
  expect(own?.schema).toEqual({ type: "object", required: ["a"] });

  expect(await removeType(db, forAll)).toBe(true);
  expect(await removeType(db, forAll)).toBe(false);
  expect(await keys()).toContainEqual(forAcme);
  expect(await removeType(db, forAcme)).toBe(true);
  expect(await keys()).not.toContainEqual(forAcme);
});

test("a removed type's past events keep their type", async () => {
  await registerType(db, forAll, { type: "object" });
  await sql`insert into events (client_id, source, id, type, created_at, description, stored_at)
    values ('casino', 'test', 1, 'level_up', now(), '', now())`.execute(db);
  expect(await removeType(db, forAll)).toBe(true);
  expect(await registerType(db, forAll, { type: "object" })).toBe("registered");
});

test("what a removed client's types were is still told", async () => {
  const left = { type: "left", client: "left-casino" };
  await addClient(db, left.client, "It leaves");
  await registerType(db, left, { type: "object" });
  expect(await removeClient(db, left.client)).toBe("removed");
  expect(await listChanges(db, left)).toMatchObject([
    { ...left, change: "removed", schema: null },
    { ...left, change: "registered", schema: { type: "object" } },
  ]);
});

describe("refuses with a sentence", () => {
  test.each([
    ["bet", undefined, {}, "The type bet is built in: every client has it, and it has no data."],
    ["Level", undefined, {}, 'The type must be of the form [a-z0-9_-]{1,40}, not "Level".'],
    ["a.b", undefined, {}, 'The type must be of the form [a-z0-9_-]{1,40}, not "a.b".'],
    ["", undefined, {}, 'The type must be of the form [a-z0-9_-]{1,40}, not "".'],
    ["level_up", "Acme", {}, 'The client must be of the form [a-z0-9-]{1,40}, not "Acme".'],
    ["level_up", "nobody", { type: "object" }, 'There is no client "nobody".'],
    ["level_up", undefined, { type: "array" }, /^The schema must have "type": "object"/],
  ])("%j for %j with %j", async (type, client, schema, sentence) => {
    const registering = registerType(db, { type, client }, schema);
    await expect(registering).rejects.toThrow(RegistrationError);
    await expect(registering).rejects.toThrow(sentence);
    expect(await keys()).toHaveLength(2);
  });
});

test("a database that is away is said to be", async () => {
  const away = connectPostgres("postgres://casino@127.0.0.1:1/casino", "test", silent);
  await expect(listTypes(away)).rejects.toThrow(Unavailable);
  await expect(listChanges(away, forAll)).rejects.toThrow(Unavailable);
  await expect(registerType(away, forAll, { type: "object" })).rejects.toThrow(Unavailable);
  await expect(removeType(away, forAll)).rejects.toThrow(Unavailable);
  await away.destroy();
});
