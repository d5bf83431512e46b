import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { generate } from "../../internal/generator/generate.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { defaultSettings } from "../../internal/webhooks/destination.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { receiverForTest } from "../../internal/webhooks/receiver.fixture.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { silent } from "../harness/broker.ts";
import { read } from "../harness/docs-table.ts";
import { pipelineForTest } from "../harness/pipeline.ts";
import { ensurePrometheus, prometheusForTest } from "../harness/prometheus.ts";
import { serviceForTest } from "../harness/service.ts";
import { tempFolder } from "../harness/temp-folder.ts";
import { waitFor } from "../harness/wait-for.ts";

ensurePrometheus();

/** The rules with a second for each minute, in their windows, their patience and their limits of seconds. */
function hurried(rules: string): string {
  return rules
    .replace(/\b(\d+)m\b/g, "$1s")
    .replace(/(_lag_seconds\{[^}]*\}\)) > (\d+)/g, (_all, of, seconds) => `${of} > ${Number(seconds) / 60}`);
}

test("rules in a hurry differ in times alone", () => {
  const rules = hurried(read("observability/alerts.yml"));
  expect(rules).toContain('consumer="archiver"}) > 1\n        for: 5s');
  expect(rules).toContain("[5s]");
  expect(rules).not.toMatch(/\b\d+m\b/);
});

test("alerts fire on a running system when their condition comes, and clear when it goes", {
  timeout: 600_000,
}, async () => {
  const { env, nc } = await pipelineForTest();
  const secret = randomBytes(32);
  const delivering = {
    ...env,
    DELIVERY_KEY: secret.toString("base64"),
    DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
  };
  const services = await Promise.all([
    serviceForTest("enricher", env),
    serviceForTest("archiver", env),
    serviceForTest("sender", delivering),
  ]);
  const rulesFile = join(tempFolder("rules"), "alerts.yml");
  writeFileSync(rulesFile, hurried(read("observability/alerts.yml")));
  const ask = await prometheusForTest(
    services.map(({ url }) => new URL(url).host),
    rulesFile,
  );
  /** Whether an alert fires, of this consumer where one is named. */
  const fires = async (name: string, consumer = ""): Promise<boolean> => {
    const { data } = JSON.parse(await ask("alerts")) as {
      data: { alerts: { labels: Record<string, string>; state: string }[] };
    }; // Prometheus's own form
    return data.alerts.some(
      ({ labels, state }) =>
        state === "firing" && labels.alertname === name && (labels.consumer ?? "").startsWith(consumer),
    );
  };
  const comes = (name: string, consumer?: string) =>
    waitFor(() => fires(name, consumer), { what: `${name} to fire` });
  const goes = (name: string, consumer?: string) =>
    waitFor(async () => !(await fires(name, consumer)), { what: `${name} to clear` });

  await comes("CroupierNoFinalEvents");
  const publisher = new Publisher(nc);
  const stop = new AbortController();
  const generating = generate({ publisher, log: silent, signal: stop.signal, rate: 1_000, batch: 50 });
  await goes("CroupierNoFinalEvents");

  // Somebody's migration holds the table: the archiver waits, and the log grows behind it.
  const lock = new pg.Client({ connectionString: env.DATABASE_URL });
  await lock.connect();
  onTestFinished(() => lock.end());
  await lock.query("begin; lock table events in exclusive mode");
  await Promise.all([comes("CroupierArchiverBehind"), comes("CroupierBacklogGrowing", "archiver")]);
  await lock.query("rollback");
  await Promise.all([goes("CroupierArchiverBehind"), goes("CroupierBacklogGrowing", "archiver")]);

  const db = connectPostgres(env.DATABASE_URL, "test", silent);
  onTestFinished(() => db.destroy());
  let status = 410;
  const receiver = await receiverForTest((response) => void response.writeHead(status).end());
  const destinations = new Destinations(db, new SecretBox([secret]));
  const { id } = await destinations.create("casino", {
    ...defaultSettings,
    url: receiver.url,
    batch: 100,
  });
  await comes("CroupierDestinationDisabled");
  status = 204;
  await destinations.update(id, undefined, { enabled: true });
  await goes("CroupierDestinationDisabled");

  stop.abort();
  await generating;
  publisher.close();
});
