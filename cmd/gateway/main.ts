import { findEvents } from "../../internal/archive/find-events.ts";
import { hasClient } from "../../internal/clients/directory.ts";
import { KeyRing, postgresKeys } from "../../internal/clients/key-ring.ts";
import { buildGateway } from "../../internal/gateway/app.ts";
import { Outbox } from "../../internal/gateway/outbox.ts";
import { localCounter, redisCounter } from "../../internal/gateway/request-counter.ts";
import { listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { rawStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { runService } from "../../internal/lifecycle.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { Registry } from "../../internal/registry/registry.ts";
import manifest from "../../package.json" with { type: "json" };

await runService({
  name: "gateway",
  summary:
    "takes events over HTTP, validates and stores them, and answers for them; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "REDIS_URL",
    "RATE_LIMIT",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
  ],
  port: 3000,
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("gateway", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    await ensureStreams(nc, [rawStage], config);
    const db = connectPostgres(config.DATABASE_URL, "gateway", log);
    onClose("Postgres", () => db.destroy());
    const types = Registry.start(db, log);
    onClose("event types", () => types.close());
    const publisher = new Publisher(nc, { timeoutMs: 4_000 });
    onClose("publisher", () => publisher.close());
    const counter = config.REDIS_URL === undefined ? localCounter() : redisCounter(config.REDIS_URL, log);
    onClose("rate limits", () => counter.close());

    const app = await buildGateway({
      nc,
      outbox: new Outbox({ publisher }),
      keys: new KeyRing(postgresKeys(db)),
      types,
      knowsClient: (client) => hasClient(db, client),
      findEvents: (filter, signal) => findEvents(db, filter, signal),
      counter,
      rateLimit: config.RATE_LIMIT,
      checks: {
        nats: brokerAnswers(nc),
        postgres: postgresAnswers(db),
        types: () => types.problem,
        ...(config.REDIS_URL === undefined ? {} : { redis: () => counter.problem }),
      },
      version: manifest.version,
      log,
      stopping,
    });
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
