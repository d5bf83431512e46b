import { afterEach, describe, expect, test } from "vitest";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { OutgoingHeaders } from "../internal/jetstream/wire-headers.ts";
import { connectForTest, removeStreams } from "./harness/broker.ts";
import { natsForTest, postgresForTest, redisServerForTest } from "./harness/infrastructure.ts";
import { ratesForTest } from "./harness/rates-server.ts";
import { prepareWithSamples } from "./harness/samples.ts";
import { serviceForTest } from "./harness/service.ts";
import { waitFor } from "./harness/wait-for.ts";

const rates = await ratesForTest();
const [nats, postgres, redis] = await Promise.all([natsForTest(), postgresForTest(), redisServerForTest()]);
const { nc, jsm } = await connectForTest(nats);
const env = {
  NATS_URL: nats.url,
  DATABASE_URL: postgres.url,
  REDIS_URL: redis.url,
  RATES_URL: rates.url,
};
await prepareWithSamples(env.DATABASE_URL);
const publisher = new Publisher(nc);

const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
let id = 0;
async function bets(currency: string, many = 10): Promise<void> {
  await Promise.all(
    Array.from({ length: many }, () => {
      const event = {
        id: ++id,
        type: "bet",
        player_id: 10,
        game_id: 100,
        amount: 500,
        currency,
        created_at: "2022-01-10T12:34:56Z",
      };
      return publisher.publish({
        subject: "casino.event.raw.casino",
        payload: Buffer.from(JSON.stringify(event)),
        headers: new OutgoingHeaders().add("Nats-Msg-Id", `outage:${id}`),
      });
    }),
  );
}

const readiness = async (url: string): Promise<Record<string, string>> =>
  ((await (await fetch(`${url}/readyz`)).json()) as { checks: Record<string, string> }).checks; // our own answer

/** A fresh start: no rates remembered, nothing in the streams. */
async function enricher() {
  await removeStreams(jsm);
  return serviceForTest("enricher", env);
}

const services: { stop: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
  rates.recover();
});

describe("an outage sets nothing aside, and events flow when it is over", () => {
  test.each(["failing", "nonsense"] as const)(
    "rates that are %s: events that need none still flow",
    async (how) => {
      if (how === "failing") rates.answer("", 500);
      else rates.answer('{"base":"USD","rates":{"EUR":0.9}}');
      const service = await enricher();
      services.push(service);
      await bets("USD");
      await bets("EUR");
      await waitFor(async () => (await count("CASINO_EVENTS")) === 10);
      await waitFor(async () => (await readiness(service.url)).rates !== "ok");
      await waitFor(async () => (await count("CASINO_RAW")) === 10);
      rates.recover();
      await waitFor(async () => (await count("CASINO_EVENTS")) === 20);
      expect(await count("CASINO_DEAD")).toBe(0);
    },
  );

  test("Postgres killed and started again", async () => {
    const service = await enricher();
    services.push(service);
    await bets("EUR");
    await waitFor(async () => (await count("CASINO_EVENTS")) === 10);
    await postgres.kill();
    await bets("EUR");
    await waitFor(async () => (await readiness(service.url)).player !== "ok");
    expect(await count("CASINO_EVENTS")).toBe(10);
    await postgres.start();
    await waitFor(async () => (await count("CASINO_EVENTS")) === 20);
    // What was in hand was held, not delivered again.
    const { delivered } = await jsm.consumers.info("CASINO_PRICED", "player");
    expect(delivered.consumer_seq).toBe((await jsm.streams.info("CASINO_PRICED")).state.last_seq);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("Redis killed: rates are fetched without the lock", async () => {
    await redis.kill();
    services.push(await enricher());
    await bets("USD");
    await waitFor(async () => (await count("CASINO_EVENTS")) === 10);
    await redis.start();
  });

  test("NATS killed and started again under a running enricher", async () => {
    services.push(await enricher());
    await bets("USD");
    await nats.kill();
    await nats.start();
    await bets("USD");
    await waitFor(async () => (await count("CASINO_EVENTS")) === 20);
    expect(await count("CASINO_DEAD")).toBe(0);
  });
});
