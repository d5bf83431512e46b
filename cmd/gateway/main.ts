import { findEvents } from "../../internal/archive/find-events.ts";
import { keysIn } from "../../internal/clients/api-key-cache.ts";
import { listClients, takesEventsOf } from "../../internal/clients/client-repository.ts";
import { layout } from "../../internal/enrichment/pipeline.ts";
import { erasePlayer } from "../../internal/erasure/erase.ts";
import { gameKind } from "../../internal/games/game-kind.ts";
import { buildGateway, gatewayWarnings } from "../../internal/gateway/app.ts";
import { localCounter, redisCounter } from "../../internal/http/request-counter.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { IngestBuffer } from "../../internal/jetstream/ingest-buffer.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { mayBundle, streamVariables } from "../../internal/jetstream/topology.ts";
import { rawStage } from "../../internal/messages/subjects.ts";
import { playerKind } from "../../internal/players/player-kind.ts";
import { connectPostgres, type PostgresOptions, postgresAnswers } from "../../internal/postgres/connect.ts";
import { currentRates } from "../../internal/rates/current-rates.ts";
import { postgresRecords } from "../../internal/records/postgres-records.ts";
import { Registry } from "../../internal/registry/registry.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { announce } from "../../internal/telemetry/announce.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";
import { addPublisher, openPublisher } from "../../internal/telemetry/timed-publisher.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";
import { openWebhooks, webhookVariables } from "../../internal/webhooks/webhooks.ts";
import manifest from "../../package.json" with { type: "json" };

await runService({
  name: "gateway",
  summary:
    "accepts events over HTTP, validates and stores them, and answers questions about them; start as many as needed.",
  variables: [
    ...natsVariables,
    ...(["DATABASE_URL", "REDIS_URL", "RATE_LIMIT", "EVENT_MAX_AHEAD", "FIGURES", "BUNDLES"] as const),
    ...webhookVariables,
    ...httpVariables,
    ...streamVariables,
    ...traceVariables,
  ],
  port: 3000,
  async start(run) {
    const { name, config, log, signal, onClose } = run;
    const nc = await openNats(run);
    const traces = await openTraces(run);
    const streams = await StreamKeeper.open({ nc, stages: [rawStage], limits: config, log });
    // Separate connections, so that long archive queries, uploads and counts of replays hold up neither each other nor keys and
    // event types.
    const connections = (options?: PostgresOptions) =>
      connectPostgres(config.DATABASE_URL, name, log, options);
    const archive = connections();
    const records = connections();
    const deliveries = connections();
    const db = connections({ max: 2 });
    const keys = connections({ max: 2, statementTimeoutMs: 2_000 });
    const pools = [archive, records, deliveries, db, keys];
    onClose("Postgres", () => Promise.all(pools.map((pool) => pool.destroy())));
    const types = Registry.start(db, log, { beyondBudget: "refuse" });
    onClose("event types", () => types.close());
    const publisher = openPublisher(run, nc, { timeoutMs: 4_000, streams });
    const counter = config.REDIS_URL === undefined ? localCounter() : redisCounter(config.REDIS_URL, log);
    onClose("rate limits", () => counter.close());
    const webhooks = openWebhooks(run, deliveries);

    const meter = new WorkMeter("ingest");
    const buffer = new IngestBuffer({ publisher, meter });
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      postgres: postgresAnswers(db),
      types: () => types.problem,
    };
    const warnings = () => gatewayWarnings({ buffer, counter });
    const telemetry = { nc, service: name, checks, warnings, works: [meter], log };
    onClose("status", announce(telemetry));
    const metrics = serviceMetrics(telemetry);
    addPublisher(metrics, publisher);
    const app = await buildGateway({
      nc,
      buffer,
      bundles: () => mayBundle(config.BUNDLES, nc.info?.version),
      keys: keysIn(keys),
      db,
      layout,
      trace: traces,
      clients: async () => (await listClients(db)).map(({ id }) => id),
      types,
      knowsClient: (client) => takesEventsOf(db, client),
      currentRates: currentRates(nc),
      findEvents: (filter, signal) => findEvents(archive, filter, signal),
      players: postgresRecords(records, playerKind),
      games: postgresRecords(records, gameKind),
      webhooks,
      erasePlayer: (client, id, by, signal) =>
        erasePlayer(client, id, {
          ...{ nc, db: archive, by, signal, log },
          publish: (message) => publisher.publish(message, signal),
        }),
      counter,
      rateLimit: config.RATE_LIMIT,
      maxAheadMs: config.EVENT_MAX_AHEAD,
      figures: config.FIGURES,
      checks,
      metrics,
      version: manifest.version,
      log,
      stopping: signal,
    });
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
