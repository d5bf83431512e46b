import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { finalStage, retryStage } from "../../internal/messages/subjects.ts";
import { postgresDrift } from "../../internal/postgres/config-drift.ts";
import { openPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { deleteExpired } from "../../internal/postgres/delete-expired.ts";
import { addDestinations } from "../../internal/sender/destination-metrics.ts";
import { Sender } from "../../internal/sender/sender.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { newInstanceName } from "../../internal/service/instance-name.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openPublisher } from "../../internal/telemetry/timed-publisher.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";
import { deleteOlderThan } from "../../internal/webhooks/deliveries.ts";
import { Destinations } from "../../internal/webhooks/destinations.ts";
import { SecretBox } from "../../internal/webhooks/secret-box.ts";
import { openDeliverer, webhookVariables } from "../../internal/webhooks/webhooks.ts";

await runService({
  name: "sender",
  summary: "sends final events to clients' destinations as signed webhooks; start as many as needed.",
  variables: [
    ...natsVariables,
    "DATABASE_URL",
    ...webhookVariables,
    ...(["DELIVERY_RETRIES", "DELIVERY_DISABLE_AFTER", "DELIVERY_RETENTION"] as const),
    ...httpVariables,
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
  async start(run) {
    const { config, log, signal, onClose } = run;
    const nc = await openNats(run);
    const traces = await openTraces(run);
    const db = openPostgres(run);
    const stages = [finalStage, retryStage];
    const streams = await StreamKeeper.open({ nc, stages, limits: config, log });
    const publisher = openPublisher(run, nc, { streams });
    const deliverer = openDeliverer(run);

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
    for (const table of ["deliveries", "delivery_requests"] as const)
      void deleteExpired({
        what: table,
        deleteBatch: (limit) => deleteOlderThan(db, table, config.DELIVERY_RETENTION, limit, signal),
        log,
        signal,
      });

    const { metrics, http } = report(run, {
      ...{ nc, streams, publisher, works: [meter] },
      checks: { postgres: postgresAnswers(db), sender: () => sender.problem },
      warnings: () => sender.warnings,
      drift: [() => findDrift(nc, { streams: [], durables: [] }), () => postgresDrift(db)],
    });
    addDestinations(metrics, sender, nc);
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
