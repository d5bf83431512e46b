import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { finalStage, retryStage } from "../../internal/messages/subjects.ts";
import { postgresDrift } from "../../internal/postgres/config-drift.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { deleteExpired } from "../../internal/postgres/delete-expired.ts";
import { addDestinations } from "../../internal/sender/destination-metrics.ts";
import { Sender } from "../../internal/sender/sender.ts";
import { ConfigDriftWatch } from "../../internal/service/config-drift.ts";
import { listen } from "../../internal/service/health.ts";
import { newInstanceName } from "../../internal/service/instance-name.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { AnswerTimes, addPublisher } from "../../internal/telemetry/bus-metrics.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";
import { deleteDeliveriesOlderThan } from "../../internal/webhooks/deliveries.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { openDeliverer } from "../../internal/webhooks/webhooks.ts";

await runService({
  name: "sender",
  summary: "sends final events to clients' destinations as signed webhooks; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "DELIVERY_KEY",
    "DELIVERY_ALLOW_PRIVATE",
    "DELIVERY_PROXY",
    "DELIVERY_RETRIES",
    "DELIVERY_DISABLE_AFTER",
    "DELIVERY_RETENTION",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
    ...traceVariables,
  ],
  port: 3005,
  check: ({ DELIVERY_KEY }) =>
    DELIVERY_KEY === undefined
      ? {
          DELIVERY_KEY:
            "be set, to the same value for senders and gateways: `openssl rand -base64 32` makes one",
        }
      : {},
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("sender", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const traces = await openTraces("sender", config, log);
    onClose("traces", () => traces?.close());
    const db = connectPostgres(config.DATABASE_URL, "sender", log);
    onClose("Postgres", () => db.destroy());
    const stages = [finalStage, retryStage];
    const streams = await StreamKeeper.open({ nc, stages, limits: config, log });
    const times = new AnswerTimes();
    const publisher = new Publisher(nc, { meter: times, onNoStream: () => void streams.restore() });
    onClose("publisher", () => publisher.close());
    const deliverer = openDeliverer(config);
    onClose("calls", () => deliverer.close());

    const meter = new WorkMeter("deliver");
    const sender = Sender.start({
      ...{ nc, db, publisher, streams, deliverer, meter, log },
      destinations: new Destinations(db, new SecretBox(config.DELIVERY_KEY ?? [])),
      plan: config.DELIVERY_RETRIES,
      disableAfterMs: config.DELIVERY_DISABLE_AFTER,
      instance: newInstanceName(),
      trace: traces && ((consumer) => traces.hop(consumer)),
    });
    onClose("sender", () => sender.stop());
    void deleteExpired({
      what: "deliveries",
      deleteBatch: (limit) => deleteDeliveriesOlderThan(db, config.DELIVERY_RETENTION, limit, stopping),
      log,
      signal: stopping,
    });

    const wanted = { streams: [], durables: [] };
    const drift = new ConfigDriftWatch([() => findDrift(nc, wanted), () => postgresDrift(db)], log);
    onClose("drift", () => drift.close());
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      postgres: postgresAnswers(db),
      sender: () => sender.problem,
    };
    const warnings = () => [...drift.warnings, ...sender.warnings];
    const telemetry = { nc, service: "sender", checks, warnings, works: [meter], log, onClose };
    const { metrics, http } = report(telemetry);
    addPublisher(metrics, publisher, times);
    addDestinations(metrics, sender, nc);
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
