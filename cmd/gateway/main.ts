import { findEvents } from "../../internal/archive/find-events.ts";
import { keysIn } from "../../internal/clients/api-key-cache.ts";
import { listClients, takesEventsOf } from "../../internal/clients/client-repository.ts";
import { sessionsIn } from "../../internal/clients/sessions.ts";
import { layout } from "../../internal/enrichment/pipeline.ts";
import { erasePlayer } from "../../internal/erasure/erase.ts";
import { gameKind } from "../../internal/games/game-kind.ts";
import { buildGateway, gatewayWarnings } from "../../internal/gateway/app.ts";
import { localCounter, redisCounter } from "../../internal/http/request-counter.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { IngestBuffer } from "../../internal/jetstream/ingest-buffer.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { mayBundle, streamVariables } from "../../internal/jetstream/topology.ts";
import { rawStage } from "../../internal/messages/subjects.ts";
import { playerKind } from "../../internal/players/player-kind.ts";
import { connectPostgres, type PostgresOptions, postgresAnswers } from "../../internal/postgres/connect.ts";
import { currentRates } from "../../internal/rates/current-rates.ts";
import { postgresRecords } from "../../internal/records/postgres-records.ts";
import { Registry } from "../../internal/registry/registry.ts";
import { listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { announce } from "../../internal/telemetry/announce.ts";
import { AnswerTimes, addPublisher } from "../../internal/telemetry/bus-metrics.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";
import { openWebhooks } from "../../internal/webhooks/webhooks.ts";
import manifest from "../../package.json" with { type: "json" };

await runService({
  name: "gateway",
  summary:
    "accepts events over HTTP, validates and stores them, and answers questions about them; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "REDIS_URL",
    "RATE_LIMIT",
    "EVENT_MAX_AHEAD",
    "FIGURES",
    "BUNDLES",
    "DELIVERY_KEY",
    "DELIVERY_ALLOW_PRIVATE",
    "DELIVERY_PROXY",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
    ...traceVariables,
  ],
  port: 3000,
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("gateway", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const traces = await openTraces("gateway", config, log);
    onClose("traces", () => traces?.close());
    const streams = await StreamKeeper.open({ nc, stages: [rawStage], limits: config, log });
    // Separate connections, so that long archive queries and uploads hold up neither keys nor event types.
    const connections = (options?: PostgresOptions) =>
      connectPostgres(config.DATABASE_URL, "gateway", log, options);
    const archive = connections();
    const records = connections();
    const db = connections({ max: 2 });
    const keys = connections({ max: 2, statementTimeoutMs: 2_000 });
    onClose("Postgres", () => Promise.all([archive, records, db, keys].map((pool) => pool.destroy())));
    const types = Registry.start(db, log, { beyondBudget: "refuse" });
    onClose("event types", () => types.close());
    const times = new AnswerTimes();
    const publisher = new Publisher(nc, {
      timeoutMs: 4_000,
      meter: times,
      onNoStream: () => void streams.restore(),
    });
    onClose("publisher", () => publisher.close());
    const counter = config.REDIS_URL === undefined ? localCounter() : redisCounter(config.REDIS_URL, log);
    onClose("rate limits", () => counter.close());

    const webhooks = openWebhooks(records, config);
    onClose("webhooks", () => webhooks?.deliverer.close());

    const meter = new WorkMeter("ingest");
    const buffer = new IngestBuffer({ publisher, meter });
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      postgres: postgresAnswers(db),
      types: () => types.problem,
    };
    const warnings = () => gatewayWarnings({ buffer, counter });
    const telemetry = { nc, service: "gateway", checks, warnings, works: [meter], log };
    onClose("status", announce(telemetry));
    const metrics = serviceMetrics(telemetry);
    addPublisher(metrics, publisher, times);
    const app = await buildGateway({
      nc,
      buffer,
      bundles: () => mayBundle(config.BUNDLES, nc.info?.version),
      keys: keysIn(keys),
      sessions: sessionsIn(db),
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
      stopping,
    });
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
