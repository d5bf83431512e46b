import { randomBytes } from "node:crypto";
import type { NatsConnection } from "nats";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { generate } from "../../internal/generator/generate.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { freePort } from "../../internal/local/free-port.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { defaultSettings } from "../../internal/webhooks/destination.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { receiverForTest } from "../../internal/webhooks/receiver.fixture.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { alertsForTest, hurried } from "../harness/alerts.ts";
import { silent } from "../harness/broker.ts";
import { read } from "../harness/docs-table.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { ensurePrometheus } from "../harness/prometheus.ts";
import { ratesForTest } from "../harness/rates-server.ts";
import { serviceForTest } from "../harness/service.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";

await ensurePrometheus();

const timeout = 600_000;
/** The alerts that these tests have had fire, and clear again. */
const cleared = new Set<string>();

test("rules in a hurry differ in times alone", () => {
  const rules = hurried(read("observability/alerts.yml"));
  expect(rules).toContain('consumer="archiver"}) > 1\n        for: 5s');
  expect(rules).toContain("[5s]");
  expect(rules).not.toMatch(/\b\d+m\b/);
});

/** Has events come in until the function that it returns is called, or the test ends. */
function producing(nc: NatsConnection, rate: number): () => Promise<void> {
  const publisher = new Publisher(nc);
  const stop = new AbortController();
  const producer = generate({ publisher, log: silent, signal: stop.signal, rate, batch: 50 });
  const end = async (): Promise<void> => {
    stop.abort();
    await producer;
    publisher.close();
  };
  onTestFinished(end);
  return end;
}

test("alerts tell of steps that wait, of events that fail, and of a service that is down", {
  timeout,
}, async () => {
  const { env, nc } = await pipelineForTest();
  const rates = await ratesForTest();
  const database = new URL(env.DATABASE_URL);
  await using postgres = await TcpProxy.open(await freePort(), Number(database.port));
  database.port = String(postgres.port);
  const enricher = await serviceForTest("enricher", {
    ...env,
    RATES_URL: rates.url,
    DATABASE_URL: database.href,
    // At 150 events per second the broker would remember ids by the gigabyte.
    DUPLICATE_WINDOW: "12h",
  });
  const { comes, goes } = await alertsForTest([enricher], cleared);

  rates.answer("away", 503);
  const stopProducing = producing(nc, 500);
  await Promise.all([comes("CroupierRatesStale"), comes("CroupierEventsApartTooLong")]);
  rates.recover();
  await Promise.all([goes("CroupierRatesStale"), goes("CroupierEventsApartTooLong")]);
  await comes("CroupierDuplicateWindowMemory");

  postgres.cut();
  const player = { stream: "CASINO_PRICED", consumer: "player" };
  await Promise.all([
    comes("CroupierNotReady", { check: "postgres" }),
    comes("CroupierMessagesStuck", player),
  ]);
  await postgres.restore();
  await Promise.all([goes("CroupierNotReady", { check: "postgres" }), goes("CroupierMessagesStuck", player)]);

  nc.publish("casino.event.raw.casino", "no JSON");
  await comes("CroupierDeadLetters", { reason: "invalid_json" });
  await stopProducing();
  await Promise.all([goes("CroupierDeadLetters"), goes("CroupierDuplicateWindowMemory")]);

  await enricher.kill();
  await comes("CroupierServiceDown");
  await enricher.start();
  await goes("CroupierServiceDown");
});

test("alerts tell of an archive that falls behind, of what waits for it, and of receivers that fail", {
  timeout,
}, async () => {
  const { env: servers, nc } = await pipelineForTest();
  const secret = randomBytes(32);
  const env = {
    ...servers,
    EVENTS_MAX_BYTES: "32MiB",
    QUEUE_MAX_BYTES: "4MiB",
    DELIVERY_KEY: secret.toString("base64"),
    DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
  };
  const services = await Promise.all([
    serviceForTest("enricher", env),
    serviceForTest("archiver", env),
    serviceForTest("sender", env),
  ]);
  const { comes, goes } = await alertsForTest(services, cleared);

  await comes("CroupierNoFinalEvents");
  producing(nc, 1_000);
  await goes("CroupierNoFinalEvents");

  // Somebody's migration holds the table: the archiver waits, the log grows behind it, then the last step pauses.
  const lock = new pg.Client({ connectionString: env.DATABASE_URL });
  await lock.connect();
  onTestFinished(() => lock.end());
  await lock.query("begin; lock table events in exclusive mode");
  const archiver = { consumer: "archiver" };
  await Promise.all([comes("CroupierArchiverBehind"), comes("CroupierBacklogGrowing", archiver)]);
  await comes("CroupierLogOutrunsArchiver");
  await comes("CroupierStreamNearlyFull");
  await lock.query("rollback");
  await Promise.all([
    goes("CroupierArchiverBehind"),
    goes("CroupierBacklogGrowing", archiver),
    goes("CroupierLogOutrunsArchiver"),
    goes("CroupierStreamNearlyFull"),
  ]);

  const db = connectPostgres(env.DATABASE_URL, "test", silent);
  onTestFinished(() => db.destroy());
  let status = 500;
  const receiver = await receiverForTest((response) => void response.writeHead(status).end());
  const destinations = new Destinations(db, new SecretBox([secret]));
  const settings = { ...defaultSettings, url: receiver.url, batch: 100 };
  const { id } = await destinations.create("casino", settings);
  const failing = async () => {
    // It has failed since before this test: an hour is more than it has.
    const hours = { failing_since: new Date(Date.now() - 2 * 3_600_000) };
    const sql = db.updateTable("destinations").set(hours).where("failing_since", "is not", null);
    return (await sql.executeTakeFirst()).numUpdatedRows;
  };
  await expect.poll(failing, { timeout: 90_000 }).toBe(1n);
  await comes("CroupierDestinationFailing");
  status = 410;
  await comes("CroupierDestinationDisabled");
  await goes("CroupierDestinationFailing");
  status = 204;
  await destinations.update(id, undefined, { enabled: true });
  await goes("CroupierDestinationDisabled");
});

test("every alert fired, and cleared", () => {
  const names = [...read("observability/alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  expect([...cleared].sort()).toEqual(names.sort());
});
