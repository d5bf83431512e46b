import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { rawSubject, stageStream } from "../internal/messages/subjects.ts";
import { connectForTest } from "./harness/broker.ts";
import { natsForTest, postgresForTest } from "./harness/infrastructure.ts";
import { prepareWithSamples } from "./harness/samples.ts";
import { runForTest, type ServiceUnderTest, serviceForTest } from "./harness/service.ts";
import { tempFolder } from "./harness/temp-folder.ts";
import { waitFor } from "./harness/wait-for.ts";

const [nats, postgres] = await Promise.all([natsForTest(), postgresForTest()]);
const { nc, jsm } = await connectForTest(nats);
const env = {
  NATS_URL: nats.url,
  DATABASE_URL: postgres.url,
  // Nobody answers there, and no event here needs a rate.
  RATES_URL: "http://127.0.0.1:1/",
};
const folder = tempFolder("schemas");
let enricher: ServiceUnderTest;

beforeAll(async () => {
  await prepareWithSamples(env.DATABASE_URL);
  enricher = await serviceForTest("enricher", env);
});

async function register(schema: object, ...flags: string[]): Promise<void> {
  const file = join(folder, "schema.json");
  await writeFile(file, JSON.stringify({ type: "object", ...schema }));
  await runForTest("event-types", ["register", "--schema", file, ...flags], env);
}

const at = { created_at: "2022-01-10T12:34:56.789+00" };
const transaction = { transaction_id: "t-1", amount: 500, currency: "EUR", method: "card" };

/** What becomes of an event that a producer publishes over NATS: the final body, or the dead letter's reason and error. */
async function outcome(event: Record<string, unknown>, client = "casino"): Promise<string> {
  const [last, lastDead] = await Promise.all([lastOf("CASINO_EVENTS"), lastOf("CASINO_DEAD")]);
  await nc.request(rawSubject(client), JSON.stringify({ ...at, ...event }));
  return waitFor(async () => {
    if ((await lastOf("CASINO_EVENTS")) > last)
      return (await jsm.streams.getMessage("CASINO_EVENTS", { seq: last + 1 }))?.string();
    if ((await lastOf("CASINO_DEAD")) === lastDead) return undefined;
    const letter = await jsm.streams.getMessage("CASINO_DEAD", { seq: lastDead + 1 });
    return `${letter?.subject} ${letter?.header.get("Casino-Dead-Reason")}: ${letter?.header.get("Casino-Dead-Error")}`;
  });
}

const lastOf = async (stream: string) => (await jsm.streams.info(stream)).state.last_seq;

test("a custom event goes through the three steps and gets its sentence, its keys in order", async () => {
  expect(await outcome({ data: transaction, more: 1, type: "transaction_approved", id: 7 })).toBe(
    JSON.stringify({
      id: 7,
      type: "transaction_approved",
      created_at: "2022-01-10T12:34:56.789Z",
      data: transaction,
      description: "transaction_approved event #7 on January 10th, 2022 at 12:34 UTC.",
    }),
  );
  const { subject } =
    (await jsm.streams.getMessage("CASINO_EVENTS", { last_by_subj: "casino.event.final.>" })) ?? {};
  expect(subject).toBe("casino.event.final.casino.transaction_approved");
});

test("what its schema refuses is set aside, with the place in the event", async () => {
  const data = { ...transaction, amount: "500", method: undefined };
  expect(await outcome({ id: 8, type: "transaction_approved", data })).toBe(
    "casino.dead.currency.casino invalid_event: /data/method must have required property 'method'; /data/amount must be integer",
  );
  expect(await outcome({ id: 9, type: "transaction_approved" })).toMatch(/ invalid_event: \/data /);
});

test("data whose check costs too much are set aside, and hold up neither others nor the rest of their client", async () => {
  const node = { $ref: "#/$defs/node" };
  const kind = (op: string) => ({
    properties: { arg: node, operator: { const: op } },
    required: ["operator", "arg"],
  });
  const schema = {
    properties: { root: node },
    $defs: { node: { anyOf: [kind("not"), kind("neg"), { type: "integer" }] } },
  };
  await register(schema, "--type", "tree");
  let endless: unknown = "x";
  for (let level = 0; level < 60; level++) endless = { arg: endless, operator: "neg" };
  const [finals, dead] = await Promise.all([lastOf("CASINO_EVENTS"), lastOf("CASINO_DEAD")]);
  const publish = (client: string, event: object) =>
    nc.publish(rawSubject(client), JSON.stringify({ ...at, ...event }));
  publish("acme-casino", { id: 20, type: "tree", data: { root: endless } });
  publish("acme-casino", { id: 21, type: "tree", data: { root: 1 } });
  publish("acme-casino", { id: 22, type: "tree", data: { root: endless } });
  publish("casino", { id: 23, type: "game_start", player_id: 1, game_id: 100 });
  publish("casino", { id: 24, type: "transaction_approved", data: transaction });
  const bodies = await waitFor(async () => {
    if ((await lastOf("CASINO_EVENTS")) < finals + 3 || (await lastOf("CASINO_DEAD")) < dead + 2)
      return undefined;
    return Promise.all([1, 2, 3].map((n) => jsm.streams.getMessage("CASINO_EVENTS", { seq: finals + n })));
  });
  expect(bodies.map((body) => body?.json<{ id: number }>().id).toSorted()).toEqual([21, 23, 24]);
  for (const seq of [dead + 1, dead + 2]) {
    const letter = await jsm.streams.getMessage("CASINO_DEAD", { seq });
    expect(letter?.header.get("Casino-Dead-Reason")).toBe("invalid_event");
    expect(letter?.header.get("Casino-Dead-Error")).toBe(
      "/data cannot be checked: the schema of tree makes that cost more than 200 ms",
    );
  }
});

test("a type that is not registered is set aside", async () => {
  expect(await outcome({ id: 10, type: "jackpot", data: {} })).toBe(
    "casino.dead.currency.casino unknown_type: /type must be a registered type",
  );
});

test("a type can be sent as soon as it is registered, and a changed schema is honoured within seconds", async () => {
  await register({ required: ["level"] }, "--type", "level_up");
  expect(await outcome({ id: 11, type: "level_up", data: { level: 1 } })).toMatch(/^\{"id":11,/);
  await register({ required: ["rank"] }, "--type", "level_up");
  // Accepted by the new one at once, refused by it after a moment.
  expect(await outcome({ id: 12, type: "level_up", data: { rank: 1 } })).toMatch(/^\{"id":12,/);
  let id = 100;
  await waitFor(async () =>
    (await outcome({ id: id++, type: "level_up", data: { level: 1 } })).includes("/data/rank must have"),
  );
  await runForTest("event-types", ["remove", "--type", "level_up"], env);
  await waitFor(async () =>
    (await outcome({ id: id++, type: "level_up", data: { rank: 1 } })).includes("unknown_type"),
  );
});

test("a client's own schema goes before the one for all", async () => {
  await register({ required: ["common"] }, "--type", "vip");
  await register({ required: ["own"] }, "--type", "vip", "--client", "acme-casino");
  const refused = / invalid_event: \/data\/(own|common) must have/;
  expect(await outcome({ id: 20, type: "vip", data: { common: 1 } }, "lucky-spin")).toMatch(/^\{"id":20,/);
  expect(await outcome({ id: 21, type: "vip", data: { own: 1 } }, "lucky-spin")).toMatch(refused);
  expect(await outcome({ id: 22, type: "vip", data: { own: 1 } }, "acme-casino")).toMatch(/^\{"id":22,/);
  expect(await outcome({ id: 23, type: "vip", data: { common: 1 } }, "acme-casino")).toMatch(refused);
});

test("an event that the first step let pass goes on after its type is gone", async () => {
  await enricher.stop();
  const first = await serviceForTest("enricher", { ...env, STEPS: "currency" });
  await register({}, "--type", "brief");
  await nc.request(rawSubject("casino"), JSON.stringify({ ...at, id: 30, type: "brief", data: {} }));
  const last = await lastOf("CASINO_EVENTS");
  await waitFor(async () => (await jsm.streams.info(stageStream("priced"))).state.messages === 1);
  await runForTest("event-types", ["remove", "--type", "brief"], env);
  await first.stop();
  await enricher.start();
  await waitFor(async () => (await lastOf("CASINO_EVENTS")) === last + 1);
});

test("custom events wait while nobody can tell their type, and are not set aside", async () => {
  await enricher.stop();
  await postgres.stop();
  // It does not get ready without Postgres.
  const starting = enricher.start();
  const [last, lastDead] = await Promise.all([lastOf("CASINO_EVENTS"), lastOf("CASINO_DEAD")]);
  const send = (event: object) => nc.request(rawSubject("casino"), JSON.stringify({ ...at, ...event }));
  await send({ id: 40, type: "transaction_approved", data: transaction });
  await send({ id: 41, type: "jackpot", data: {} });
  await send({ id: 42, type: "game_start", player_id: 10, game_id: 100 });
  // The first step needs no database for a game.
  await waitFor(async () => (await jsm.streams.info(stageStream("priced"))).state.messages === 1);
  // The steps run a moment before it listens.
  const readiness = await waitFor(() => fetch(`${enricher.url}/readyz`));
  const { checks } = (await readiness.json()) as { checks: object }; // compared below
  expect(checks).toMatchObject({ event_types: expect.stringMatching(/^the event types are not loaded yet/) });
  expect(await lastOf("CASINO_DEAD")).toBe(lastDead);
  expect((await jsm.streams.info("CASINO_RAW")).state.messages).toBe(2);

  await postgres.start();
  await starting;
  await waitFor(async () => (await lastOf("CASINO_EVENTS")) === last + 2);
  await waitFor(async () => (await lastOf("CASINO_DEAD")) === lastDead + 1);
});
