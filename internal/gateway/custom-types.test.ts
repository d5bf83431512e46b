import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { registerType, removeType } from "../registry/event-types.ts";
import { Registry } from "../registry/registry.ts";
import { databaseOfFile, gatewayForTest, keyFor } from "./gateway.fixture.ts";

const server = await natsForTest();
const db = await databaseOfFile();
const key = await keyFor(db, "custom");

async function gateway() {
  const registry = Registry.start(db, silent);
  onTestFinished(() => registry.close());
  await registry.refresh();
  const { app } = await gatewayForTest(server, db, { types: registry });
  return async (events: readonly unknown[], lines = false) => {
    const response = await app.inject({
      method: "POST",
      url: "/events",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": lines ? "application/x-ndjson" : "application/json",
      },
      payload: lines ? events.map((event) => JSON.stringify(event)).join("\n") : JSON.stringify(events),
    });
    return { status: response.statusCode, body: response.json() };
  };
}

let id = 1;
const event = (type: string, data: object) => ({ id: id++, type, created_at: "2022-03-03T12:12:00Z", data });
const limitOf = (maximum: number) => ({
  type: "object",
  properties: { limit: { type: "integer", maximum } },
});

test("the first event of a type may follow its registration at once, and so may one that a new schema allows", async () => {
  const send = await gateway();
  const type = { type: "limit_raised", client: undefined };
  expect(await send([event("limit_raised", { limit: 5 })])).toMatchObject({
    status: 400,
    body: { rejected: [{ errors: [{ path: "/type", message: "must be a registered type" }] }] },
  });
  await registerType(db, type, limitOf(10));
  expect((await send([event("limit_raised", { limit: 5 })])).status).toBe(202);
  expect(
    await send([event("limit_raised", { limit: 5 }), event("limit_raised", { limit: 11 })]),
  ).toMatchObject({
    status: 207,
    body: {
      accepted: 1,
      rejected: [{ index: 1, errors: [{ path: "/data/limit", message: "must be <= 10" }] }],
    },
  });
  await registerType(db, type, limitOf(20));
  expect((await send([event("limit_raised", { limit: 11 })])).status).toBe(202);
  await removeType(db, type);
});

test("thousands of events of unknown types are refused in one go, each at its place", async () => {
  const send = await gateway();
  const events = Array.from({ length: 5_000 }, () => event("unheard_of", {}));
  const { status, body } = await send(events, true);
  expect(status).toBe(400);
  expect(body).toMatchObject({ accepted: 0, rejected_total: 5_000 });
  expect(body.rejected.map(({ index }: { index: number }) => index)).toEqual(
    Array.from({ length: 1_000 }, (_, index) => index),
  );
});
