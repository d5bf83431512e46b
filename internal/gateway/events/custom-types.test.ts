import { expect, onTestFinished, test } from "vitest";
import { connectForTest, silent } from "../../../test/harness/broker.ts";
import { registerType, removeType } from "../../registry/event-types.ts";
import { Registry } from "../../registry/registry.ts";
import { gatewaysOfFile, storedMessages } from "../gateway.fixture.ts";

const { server, db, key, openGateway } = await gatewaysOfFile("custom");

async function gateway() {
  const registry = Registry.start(db, silent, { beyondBudget: "refuse" });
  onTestFinished(() => registry.close());
  await registry.refresh();
  const { app } = await openGateway({ types: registry });
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

/** The ids of the events in the stream, in its order. */
async function stored(): Promise<readonly number[]> {
  const { jsm } = await connectForTest(server);
  return (await storedMessages(jsm)).flatMap(({ events }) => events.map((event) => JSON.parse(event).id));
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

/** The node below is looked at before the operator, whose name is longer: once for each kind, twice the work with each level. */
const node = { $ref: "#/$defs/node" };
const kind = (op: string) => ({
  type: "object",
  properties: { arg: node, operator: { const: op } },
  required: ["operator", "arg"],
});
const treeSchema = {
  type: "object",
  properties: { root: node },
  $defs: { node: { anyOf: [kind("not"), kind("neg"), { type: "integer" }] } },
};
const tree = (depth: number) => {
  let root: unknown = 1;
  for (let level = 0; level < depth; level++) root = { arg: root, operator: "neg" };
  return { root };
};

test("events whose check costs too much are refused, and nobody else waits for that", async () => {
  await registerType(db, { type: "tree", client: undefined }, treeSchema);
  const send = await gateway();
  const costly = send([event("tree", tree(60)), event("tree", tree(2)), event("tree", tree(60))]);
  let isAnswered = false;
  void costly.finally(() => {
    isAnswered = true;
  });
  const game = {
    id: id++,
    player_id: 1,
    game_id: 100,
    type: "game_start",
    created_at: "2022-03-03T12:12:00Z",
  };
  expect((await send([game])).status).toBe(202);
  expect(isAnswered).toBe(false);
  const errors = [
    { path: "/data", message: "cannot be checked: the schema of tree makes that cost more than 200 ms" },
  ];
  expect(await costly).toEqual({
    status: 207,
    body: {
      ...(await costly).body,
      accepted: 1,
      rejected: [
        { index: 0, errors },
        { index: 2, errors },
      ],
    },
  });
  await removeType(db, { type: "tree", client: undefined });
});

test("the events of a request are stored in their order, custom ones and others", async () => {
  await registerType(db, { type: "tree", client: undefined }, treeSchema);
  const send = await gateway();
  const game = { player_id: 1, game_id: 100, type: "game_start", created_at: "2022-03-03T12:12:00Z" };
  const events = [
    { ...game, id: id++ },
    event("tree", tree(1)),
    { ...game, id: id++ },
    event("tree", tree(2)),
  ];
  const before = await stored();
  expect((await send(events)).status).toBe(202);
  expect((await stored()).slice(before.length)).toEqual(events.map((one) => one.id));
  await removeType(db, { type: "tree", client: undefined });
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
