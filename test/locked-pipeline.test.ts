import { writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { type NatsRole, natsConfig } from "../internal/local/nats-users.ts";
import { decodeStatus, type Status } from "../internal/telemetry/status.ts";
import { connectForTest } from "./harness/broker.ts";
import { databaseForTest, redisForTest } from "./harness/infrastructure.ts";
import { lockedNatsForTest, natsVersions } from "./harness/locked-broker.ts";
import { keyForTest } from "./harness/pipeline.ts";
import { ratesForTest } from "./harness/rates-server.ts";
import { prepareWithSamples } from "./harness/samples.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { tempFolder } from "./harness/temp-folder.ts";
import { waitFor } from "./harness/wait-for.ts";

const rates = await ratesForTest();

/** The file as it is on the oldest and the newest server here; and, where the server knows it, with the subjects that 2.16 is going to use for acknowledgements. */
const versions = await natsVersions();
const cases = versions
  .filter((_, index) => index === 0 || index === versions.length - 1)
  .flatMap(({ version, binary }) => {
    const [, minor = 0] = version.split(".").map(Number);
    const plain = { name: version, binary, config: natsConfig };
    if (minor < 14) return [plain];
    const config = join(tempFolder("nats-conf"), "nats.conf");
    // The server takes an included path as relative to the file.
    writeFileSync(
      config,
      `include "${relative(dirname(config), natsConfig)}"\nfeature_flags { js_ack_fc_v2: true }\n`,
    );
    return [plain, { name: `${version} with js_ack_fc_v2`, binary, config }];
  });

describe.each(cases)("nats-server $name", async ({ binary, config }) => {
  test("the whole pipeline works with every service under its own users, and none tries what it may not", async () => {
    const broker = await lockedNatsForTest("inspector", { binary, config });
    const [database, redis] = await Promise.all([databaseForTest(), redisForTest()]);
    const users = ["enricher", "gateway", "archiver", "generator", "operator"];
    const env = (service: NatsRole): Record<string, string> => ({
      NATS_URL: broker.as(service),
      DATABASE_URL: users.includes(service)
        ? Object.assign(new URL(database), { username: `casino_${service}`, password: `${service}-password` })
            .href
        : "postgres://nobody@127.0.0.1:1/none",
      REDIS_URL: redis,
      RATES_URL: rates.url,
    });
    await runForTest("migrate", [], {
      DATABASE_URL: database,
      DATABASE_PASSWORDS: users.map((user) => `${user}=${user}-password`).join(","),
    });
    await prepareWithSamples(database);
    const start = (service: NatsRole) => serviceForTest(service, env(service));
    const inRow = ["gateway", "logger", "enricher", "materializer", "archiver"] as const;
    const services = await Promise.all(inRow.map(start));
    const [gateway, logger] = services;
    if (gateway === undefined || logger === undefined) throw new Error("not started");

    await runForTest("generator", ["--rate", "1000", "--count", "200"], env("generator"));
    await runForTest(
      "generator",
      ["--client", "acme-casino", "--type", "transaction_approved", "--count", "5"],
      env("generator"),
    );
    const authorization = `Bearer ${await keyForTest("casino", "test", env("operator"))}`;
    const ask = async (path: string, options: RequestInit = {}): Promise<unknown> => {
      const headers = { authorization, "content-type": "application/json" };
      const answer = await fetch(`${gateway.url}${path}`, { ...options, headers });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? undefined : answer.json();
    };
    const event = {
      id: 1,
      type: "game_start",
      player_id: 10,
      game_id: 100,
      created_at: "2022-01-10T12:34:56Z",
    };
    expect(await ask("/events", { method: "POST", body: JSON.stringify(event) })).toMatchObject({
      accepted: 1,
    });
    await waitFor(() => logger.output().split("\n").length - 1 === 206);
    await waitFor(async () => JSON.stringify(await ask("/materialized")).includes('"events_total":206'));
    await waitFor(async () =>
      JSON.stringify(await ask("/events?type=game_start&limit=1000")).includes('"source":"test"'),
    );

    // Dead letters, over HTTP and by the command: looked at, sent again, discarded.
    const { nc } = await connectForTest(broker.server, broker.credentials("operator"));
    for (const id of [2, 3])
      nc.publish("casino.event.raw.casino", JSON.stringify({ ...event, id, type: "unknown" }));
    await waitFor(async () => JSON.stringify(await ask("/dead-letters?groups=true")).includes('"count":2'));
    expect(await ask("/dead-letters/1/replay?dry_run=true", { method: "POST", body: "" })).toMatchObject({
      would: "fail",
      reason: "unknown_type",
    });
    await ask("/dead-letters/1/replay", { method: "POST", body: JSON.stringify({ ...event, id: 2 }) });
    await ask("/dead-letters/2", { method: "DELETE" });
    await waitFor(() => logger.output().split("\n").length - 1 === 207);
    expect(await runForTest("dead-letters", ["list"], env("operator"))).toContain("no dead letters");
    await runForTest("prove", [], env("operator"));

    // Everybody may see how each service is, and who runs.
    const inspector = await connect({ servers: broker.server.url });
    onTestFinished(() => inspector.close());
    const said = new Map<string, Status>();
    inspector.subscribe("croupier.status.>", {
      callback: (_err, msg) => {
        const status = decodeStatus(msg.data);
        if (status !== undefined) said.set(status.service, status);
      },
    });
    await waitFor(() => said.size === services.length && said.values().every(({ ready }) => ready));
    const events = (service: NatsRole) =>
      Object.values(said.get(service)?.work ?? {}).map((work) => work.events);
    expect([events("gateway"), events("enricher")]).toEqual([[2], [209, 207, 207]]);
    const readers = ["logger", "archiver", "materializer"] as const;
    await waitFor(() => readers.every((reader) => events(reader)[0] === 207));
    expect(said.get("enricher")?.work.currency?.dead_letters_by_reason).toEqual({ unknown_type: 2 });
    for (const [service, wanted] of [
      ["gateway", /^croupier_http_request_duration_seconds_count\{.*route="\/events",status="202"\} 1$/m],
      ["enricher", /^croupier_consumer_pending_messages\{stream="CASINO_RAW",consumer="currency"\} 0$/m],
      ["enricher", /^croupier_stream_max_bytes\{stream="CASINO_EVENTS"\} \d+$/m],
      ["enricher", /^croupier_rates_age_seconds \d/m],
      ["logger", /^croupier_consumer_lag_seconds\{stream="CASINO_EVENTS",consumer="logger"\} 0$/m],
      ["archiver", /^croupier_archive_rows_total\{outcome="added"\} 207$/m],
      ["materializer", /^croupier_client_events_total\{client="acme-casino"\} 5$/m],
    ] as const) {
      const answer = await fetch(`${services[inRow.indexOf(service)]?.url}/metrics`);
      expect(await answer.text(), service).toMatch(wanted);
    }
    const names = new Set<string>();
    inspector.subscribe("_INBOX.services", {
      callback: (_err, msg) => void names.add(msg.json<{ name: string }>().name),
    });
    inspector.publish("$SRV.PING", "", { reply: "_INBOX.services" });
    await waitFor(() => names.size === services.length);

    await Promise.all(services.map((service) => service.stop()));
    expect(broker.violations()).toEqual([]);
    const logged = services.map((service) => service.errors()).join("");
    expect(logged.split("\n").filter((line) => /permission/i.test(line))).toEqual([]);
  });
});
