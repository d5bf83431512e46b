import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { randomEvents } from "../internal/generator/events.ts";
import { seededRandom } from "../internal/generator/random.ts";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { freePort } from "../internal/local/free-port.ts";
import { newTraceparent, writeEnvelope } from "../internal/messages/envelope.ts";
import { rawStage, rawSubject } from "../internal/messages/subjects.ts";
import { brokerForTest } from "./harness/broker.ts";
import { databaseForTest, redisForTest } from "./harness/infrastructure.ts";
import { keyForTest } from "./harness/pipeline.ts";
import { ratesForTest } from "./harness/rates-server.ts";
import { runForTest, type ServiceUnderTest, serviceForTest } from "./harness/service.ts";
import { TcpProxy } from "./harness/tcp-proxy.ts";
import { waitFor } from "./harness/wait-for.ts";

const { server: nats, nc, jsm } = await brokerForTest();
const publisher = new Publisher(nc);
const servers = {
  NATS_URL: nats.url,
  DATABASE_URL: await databaseForTest(),
  REDIS_URL: await redisForTest(),
};
const rates = await ratesForTest();
const env: Record<string, string> = { ...servers, RATES_URL: rates.url };
await runForTest("migrate", [], env);
const key = await keyForTest("casino", "shutdown-http", env);
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
const db = new pg.Client({ connectionString: env.DATABASE_URL });
await db.connect();
afterAll(() => db.end());

// The services reach their servers through proxies, so that those can hang.
const proxies = new Map<string, TcpProxy>();
for (const [name, text] of Object.entries(servers)) {
  const url = new URL(text);
  const proxy = await TcpProxy.open(await freePort(), Number(url.port));
  afterAll(() => proxy[Symbol.asyncDispose]());
  proxies.set(name, proxy);
  url.host = `127.0.0.1:${proxy.port}`;
  env[name] = url.href;
}
const start = async (...names: readonly string[]) =>
  Promise.all(names.map((name) => serviceForTest(name, env)));
const [enricher, archiver, gateway, materializer, logger] = (await start(
  ...["enricher", "archiver", "gateway", "materializer", "logger"],
)) as [ServiceUnderTest, ServiceUnderTest, ServiceUnderTest, ServiceUnderTest, ServiceUnderTest]; // as many as names

const stored = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
const archived = async () => Number((await db.query("select count(*) from events")).rows[0].count);
/** Ends them all with SIGTERM. One that needs more than 10 s ends with 1 by itself. */
async function stop(services: readonly ServiceUnderTest[]): Promise<void> {
  await Promise.all(services.map((service) => service.stop()));
  for (const service of services) expect(await service.exited()).toBe("exit code 0");
}

const events = randomEvents(seededRandom(1), () => new Date());
/** The number of events published, and the id of the last of them. */
let sent = 0;

/** Publishes random events at this pace until told to end; then all of them are stored. */
function load(everyMs: number): () => Promise<void> {
  const timer = setInterval(() => {
    const id = ++sent;
    void publisher.publish({
      subject: rawSubject("casino"),
      payload: Buffer.from(JSON.stringify({ ...events.next().value, id })),
      headers: writeEnvelope(
        { client: "casino", source: "shutdown", traceparent: newTraceparent() },
        id,
        rawStage,
      ),
    });
  }, everyMs);
  onTestFinished(() => clearInterval(timer));
  return async () => {
    clearInterval(timer);
    await waitFor(() => publisher.pending === 0);
  };
}

const mailboxes = [
  ["CASINO_RAW", "currency"],
  ["CASINO_PRICED", "player"],
  ["CASINO_PROFILED", "description"],
  ["CASINO_EVENTS", "archiver"],
  ["CASINO_EVENTS", "logger"],
] as const;

test.each([
  ["Postgres hangs", ["DATABASE_URL"], [enricher, archiver, gateway]],
  [
    "Postgres, NATS and Redis hang",
    ["DATABASE_URL", "NATS_URL", "REDIS_URL"],
    [enricher, archiver, gateway, materializer, logger],
  ],
])(
  "stopped in the middle of its work while %s, and refuse nothing, a service ends with 0 in time",
  {
    timeout: 240_000,
  },
  async (_what, hanging, services) => {
    const before = await stored("CASINO_EVENTS");
    const endLoad = load(2);
    await waitFor(async () => (await stored("CASINO_EVENTS")) > before + 100);
    // On a busy machine it may refuse some first.
    await waitFor(async () => (await fetch(`${gateway.url}/events`, { headers })).status === 200);
    for (const name of hanging) proxies.get(name)?.stall();
    // A request that waits for Postgres, and is cut off in the end.
    const asking = fetch(`${gateway.url}/events`, { headers }).then(({ status }) => status, String);
    // Without Postgres nothing passes the step `player`.
    await waitFor(async () => (await stored("CASINO_PRICED")) + (await stored("CASINO_RAW")) > 200);
    await stop(services);
    await endLoad();
    expect([503, "TypeError: fetch failed"]).toContain(await asking);

    // What they could not hand back comes again after ack_wait, half a minute; from a consumer made anew at once.
    if (hanging.includes("NATS_URL"))
      for (const [stream, durable] of mailboxes) await jsm.consumers.delete(stream, durable);
    for (const name of hanging) await proxies.get(name)?.restore();
    await Promise.all(services.map((service) => service.start()));
    await waitFor(async () => (await stored("CASINO_EVENTS")) === sent, {
      what: "every event in its final form",
    });
    await waitFor(async () => (await archived()) === sent, { what: "every event in Postgres" });
    expect(await stored("CASINO_DEAD")).toBe(0);
  },
);

test("every service restarted in turn under load: no event is lost, doubled or set aside, and the others go on", {
  timeout: 240_000,
}, async () => {
  const [secondEnricher, secondGateway] = await start("enricher", "gateway");
  const lines = () => logger.output().split("\n").length - 1;
  const before = { sent, lines: lines(), folded: await folded(), finals: await stored("CASINO_EVENTS") };

  const finals: number[] = [];
  nc.subscribe("casino.event.final.>", {
    callback: (_err, msg) => void finals.push(msg.json<{ id: number }>().id),
  });
  const moreFinals = (what: string) => {
    const seen = finals.length;
    return waitFor(() => finals.length > seen + 50, { what });
  };
  const endPosting = post([gateway.url, secondGateway?.url ?? ""]);
  const endLoad = load(5);
  await moreFinals("final events before the first restart");
  for (const wave of [
    [enricher, gateway, archiver],
    [secondEnricher, secondGateway, logger, materializer],
  ]) {
    const services = wave.filter((service) => service !== undefined);
    await stop(services);
    // How long the others take to go on is for the benchmarks to measure: npm run bench -- --only rolling-restart.
    await moreFinals("final events while half of the services are away");
    await Promise.all(services.map((service) => service.start()));
    await moreFinals("final events after a restart");
  }
  const posted = await endPosting();
  await endLoad();
  const all = sent - before.sent + posted;

  await waitFor(async () => (await archived()) === before.sent + all, {
    what: "every event in Postgres",
  });
  expect(finals).toHaveLength(all);
  expect(await stored("CASINO_EVENTS")).toBe(before.finals + all);
  expect(await stored("CASINO_DEAD")).toBe(0);
  await waitFor(() => lines() === before.lines + all);
  await waitFor(async () => (await folded()) === before.folded + all);
});

/** The number of events in the materializer's figures. */
async function folded(): Promise<number> {
  const answer = await fetch(`${materializer.url}/materialized`);
  return ((await answer.json()) as { events_total: number }).events_total; // our own answer
}

/** Posts events one by one to these gateways in turns, as behind a load balancer: one that refuses is passed over. */
function post(gateways: readonly string[]): () => Promise<number> {
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const posting = (async () => {
    let posted = 0;
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      const body = JSON.stringify({ ...events.next().value, id: posted + 1 });
      const url = `${gateways[turn % gateways.length]}/events`;
      const answer = await fetch(url, { method: "POST", headers, body }).catch(() => undefined);
      // Refused, or too busy at the moment: the next one, and what was stored already is not stored twice.
      if (answer === undefined || answer.status === 503) continue;
      expect(answer.status).toBe(202);
      posted++;
      await sleep(20);
    }
    return posted;
  })();
  return () => {
    stopped.abort();
    return posting;
  };
}
