import { sql } from "kysely";
import { expect, test } from "vitest";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { createKey } from "../../clients/client-repository.ts";
import { gatewaysOfFile, keyFor } from "../gateway.fixture.ts";

const { db, openGateway } = await gatewaysOfFile();
const operator = { authorization: `Bearer ${await createKey(db, "operator")}` };
const client = { authorization: `Bearer ${await keyFor(db, "own")}` };

test("an operator makes a client's key, which is good at once, and revokes it", async () => {
  const { app } = await openGateway();
  const post = (payload: object, headers = operator) =>
    app.inject({ method: "POST", url: "/dashboard/keys", payload, headers });
  const made = await post({ client_id: "casino", source: "crm", days: 30 });
  expect(made.statusCode).toBe(201);
  const { key } = made.json<{ key: string }>();
  const who = await app.inject({ url: "/dashboard/session", headers: { authorization: `Bearer ${key}` } });
  expect(who.json()).toEqual({ role: "client", client_id: "casino" });
  const prefix = key.slice(0, 11);
  const revoke = () => app.inject({ method: "DELETE", url: `/dashboard/keys/${prefix}`, headers: operator });
  expect((await revoke()).statusCode).toBe(204);
  const listed = (await app.inject({ url: "/dashboard/keys", headers: operator })).json();
  expect(listed.keys.find((one: { prefix: string }) => one.prefix === prefix)).toMatchObject({
    client_id: "casino",
    source: "crm",
    revoked_at: expect.any(String),
  });
  expect((await post({ client_id: "nobody", source: "crm" })).statusCode).toBe(404);
  for (const wrong of [{}, { client_id: "casino" }, { client_id: "casino", source: "crm", days: 0 }])
    expect((await post(wrong)).statusCode).toBe(400);
});

test("an operator registers a type of event and removes it", async () => {
  const { app } = await openGateway();
  const url = "/dashboard/event-types/bonus";
  const put = (payload: object) => app.inject({ method: "PUT", url, payload, headers: operator });
  const schema = { type: "object", properties: { level: { type: "integer" } } };
  expect((await put({ schema })).json()).toEqual({ outcome: "registered" });
  expect((await put({ schema })).json()).toEqual({ outcome: "changed" });
  expect((await put({ schema: { type: "nonsense" } })).statusCode).toBe(400);
  const { event_types } = (await app.inject({ url: "/dashboard/event-types", headers: client })).json();
  expect(event_types).toContainEqual({
    type: "bonus",
    client_id: null,
    schema,
    updated_at: expect.any(String),
  });
  const remove = () => app.inject({ method: "DELETE", url, headers: operator });
  expect((await remove()).statusCode).toBe(204);
  expect((await remove()).statusCode).toBe(404);
});

test("a client sees its own keys, and changes nothing", async () => {
  const { app } = await openGateway();
  const { keys } = (await app.inject({ url: "/dashboard/keys", headers: client })).json();
  expect(new Set(keys.map((one: { client_id: string }) => one.client_id))).toEqual(new Set(["casino"]));
  const tries = [
    { method: "POST", url: "/dashboard/keys", payload: { client_id: "casino", source: "more" } },
    { method: "DELETE", url: `/dashboard/keys/${keys[0].prefix}` },
    { method: "PUT", url: "/dashboard/event-types/mine", payload: { schema: {} } },
    { method: "DELETE", url: "/dashboard/event-types/mine" },
  ] as const;
  for (const one of tries) expect((await app.inject({ ...one, headers: client })).statusCode).toBe(403);
});

test("a client that looks often waits for itself, with one statement at a time", async () => {
  const { app } = await openGateway();
  const look = () => app.inject({ url: "/dashboard/event-types", headers: client });
  const statuses: number[] = [];
  await db.transaction().execute(async (trx) => {
    await sql`lock table event_type_schemas in access exclusive mode`.execute(trx);
    for (let n = 0; n < 40; n++) void look().then(({ statusCode }) => statuses.push(statusCode));
    const waiting = async () =>
      (
        await sql<{ n: number }>`
          select count(*)::int as n from pg_locks
          where relation = 'event_type_schemas'::regclass and not granted`.execute(trx)
      ).rows[0]?.n;
    await waitFor(async () => (await waiting()) === 1 && statuses.length >= 7);
    // While the lock is held: after it, the waiting ones are answered too.
    expect(new Set(statuses)).toEqual(new Set([429]));
  });
  await waitFor(async () => (await look()).statusCode === 200);
});
