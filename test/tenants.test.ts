import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { expect, test } from "vitest";
import { seededRandom } from "../internal/generator/random.ts";
import { emptyQueues, keyForTest, pipelineForTest } from "./harness/pipeline.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { waitFor } from "./harness/wait-for.ts";

/** Set it higher for a longer run. */
const count = Number(process.env.TENANTS_EVENTS ?? 8_000);
const senders = 4;
const perRequest = 100;

const { nats, nc, jsm, env } = await pipelineForTest();

interface Answer {
  readonly accepted: number;
  readonly rejected: readonly unknown[];
}

interface Plan {
  readonly key: string;
  readonly batches: readonly string[];
  readonly valid: number;
  readonly duplicates: number;
  readonly invalid: number;
}

/** A sender's events: ids in order, a fifth of them an earlier one again, a twentieth invalid. */
function plan(key: string, seed: number): Plan {
  const random = seededRandom(seed);
  const events: unknown[] = [];
  const tally = { valid: 0, duplicates: 0, invalid: 0 };
  const event = (id: number) => ({
    id,
    type: "bet",
    player_id: 10 + (id % 7),
    game_id: 100,
    amount: id,
    currency: id % 2 === 0 ? "EUR" : "USD",
    has_won: id % 10 === 0,
    created_at: "2022-01-10T12:34:56.789+00",
  });
  while (events.length < count / senders) {
    const dice = random();
    if (dice < 0.05) {
      tally.invalid++;
      events.push({ ...event(tally.valid + 1), amount: -1 });
    } else if (dice < 0.25 && tally.valid > 0) {
      tally.duplicates++;
      events.push(event(1 + Math.floor(random() * tally.valid)));
    } else events.push(event(++tally.valid));
  }
  const batches: string[] = [];
  for (let from = 0; from < events.length; from += perRequest)
    batches.push(JSON.stringify(events.slice(from, from + perRequest)));
  return { key, batches, ...tally };
}

async function send(gateway: string, { key, batches }: Plan): Promise<Answer> {
  const sum = { accepted: 0, rejected: [] as unknown[] };
  for (const body of batches) {
    const post = () =>
      fetch(`${gateway}/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body,
      });
    let answer = await post();
    // On a machine with too much to do it refuses before it has read anything.
    while (answer.status === 503) {
      await answer.body?.cancel();
      await sleep(Number(answer.headers.get("retry-after")) * 1_000);
      answer = await post();
    }
    if (answer.status !== 202 && answer.status !== 207)
      expect.fail(`status ${answer.status}: ${await answer.text()}`);
    const { accepted, rejected } = (await answer.json()) as Answer; // our own answer
    sum.accepted += accepted;
    sum.rejected.push(...rejected);
  }
  return sum;
}

test("answers, Postgres, dead letters and aggregates agree; sent again after a restart, nothing is there twice", {
  timeout: 240_000,
}, async () => {
  await runForTest("clients", ["add", "acme"], env);
  const keys = await Promise.all(
    Array.from({ length: senders }, (_, index) =>
      keyForTest(index % 2 === 0 ? "casino" : "acme", `sender-${index}`, env),
    ),
  );
  const services = await Promise.all(
    ["gateway", "enricher", "enricher", "archiver", "materializer"].map((name) => serviceForTest(name, env)),
  );
  const [gateway, , , , materializer] = services;
  const plans = keys.map((key, index) => plan(key, index));
  const total = (of: (plan: Plan) => number) => plans.reduce((sum, each) => sum + of(each), 0);
  const valid = total((each) => each.valid);

  const answers = await Promise.all(plans.map((each) => send(gateway?.url ?? "", each)));
  expect(answers.map(({ accepted, rejected }) => [accepted, rejected.length])).toEqual(
    plans.map((each) => [each.valid + each.duplicates, each.invalid]),
  );

  // What producers on NATS send past the gateway is refused by the first step.
  for (const payload of ["nonsense", "[]", '{"id":1,"type":"jackpot","created_at":"2022-01-10T12:34:56Z"}'])
    nc.publish("casino.event.raw.acme", payload);
  nc.publish(
    "casino.event.raw.stranger",
    JSON.stringify({
      id: 1,
      type: "game_start",
      player_id: 1,
      game_id: 1,
      created_at: "2022-01-10T12:34:56Z",
    }),
  );
  await nc.flush();

  const db = new pg.Client({ connectionString: env.DATABASE_URL });
  await db.connect();
  const archived = async () => {
    const { rows } = await db.query(
      "select client_id, count(*)::int as events, sum(amount)::int as amount from events group by 1 order by 1",
    );
    return rows;
  };
  const inPostgres = async () => (await archived()).reduce((sum, row) => sum + row.events, 0);
  const materialized = async (query = "") => {
    const answer = await fetch(`${materializer?.url}/materialized${query}`);
    return (await answer.json()) as { events_total: number }; // our own answer
  };
  const dead = async () => (await jsm.streams.info("CASINO_DEAD")).state.messages;

  await waitFor(async () => (await inPostgres()) === valid, {
    what: "all events in Postgres",
  });
  await waitFor(async () => (await materialized()).events_total === valid && (await dead()) === 4);
  const before = await archived();
  const perClient = (parity: number) =>
    total((each) => (plans.indexOf(each) % 2 === parity ? each.valid : 0));
  expect(before.map((row) => [row.client_id, row.events])).toEqual([
    ["acme", perClient(1)],
    ["casino", perClient(0)],
  ]);
  expect((await materialized("?client_id=acme")).events_total).toBe(perClient(1));

  // Everything restarts, the broker too, and the producers send everything again.
  for (const service of services) await service.stop();
  await nats.stop();
  await nats.start();
  await Promise.all(services.map((service) => service.start()));
  await Promise.all(plans.map((each) => send(gateway?.url ?? "", each)));
  await emptyQueues(jsm);
  await waitFor(async () => {
    const info = await jsm.consumers.info("CASINO_EVENTS", "archiver");
    return info.num_pending === 0 && info.num_ack_pending === 0;
  });
  expect(await archived()).toEqual(before);
  await waitFor(async () => (await materialized()).events_total === valid);
  expect(await dead()).toBe(4);
  await db.end();
});
