import { Archiver, archiverDurable } from "../../internal/archive/archiver.ts";
import { keepFor } from "../../internal/archive/retention.ts";
import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers, lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { finalStage } from "../../internal/messages/subjects.ts";
import { postgresDrift } from "../../internal/postgres/config-drift.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { ConfigDriftWatch } from "../../internal/service/config-drift.ts";
import { listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { ArchiveMeter } from "../../internal/telemetry/archive-meter.ts";
import { AnswerTimes, addConsumers, addPublisher } from "../../internal/telemetry/bus-metrics.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";

await runService({
  name: "archiver",
  summary: "stores every final event in Postgres, once; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "ARCHIVE_RETENTION",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
    ...traceVariables,
  ],
  port: 3004,
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("archiver", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const traces = await openTraces("archiver", config, log);
    onClose("traces", () => traces?.close());
    const db = connectPostgres(config.DATABASE_URL, "archiver", log);
    onClose("Postgres", () => db.destroy());
    const streams = await StreamKeeper.open({ nc, stages: [finalStage], limits: config, log });
    const times = new AnswerTimes();
    const publisher = new Publisher(nc, { meter: times, onNoStream: () => void streams.restore() });
    onClose("publisher", () => publisher.close());

    const meter = new ArchiveMeter("archive", archiverDurable);
    const archiver = await Archiver.start({
      ...{ nc, db, publisher, log, meter, streams },
      trace: traces?.hop(archiverDurable.name),
    });
    onClose("archiver", () => archiver.stop());
    const retentionMs = config.ARCHIVE_RETENTION;
    if (retentionMs !== undefined) void keepFor(db, { retentionMs, log, signal: stopping });

    const wanted = { streams: [], durables: [archiverDurable] };
    const drift = new ConfigDriftWatch([() => findDrift(nc, wanted), () => postgresDrift(db)], log);
    onClose("drift", () => drift.close());
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      postgres: postgresAnswers(db),
      archiver: () => archiver.problem,
      lag: lagWithinRetention(nc, archiverDurable),
    };
    const warnings = () => drift.warnings;
    const telemetry = { nc, service: "archiver", checks, warnings, works: [meter], log, onClose };
    const { metrics, http } = report(telemetry);
    addPublisher(metrics, publisher, times);
    addConsumers(metrics, nc, [archiverDurable]);
    meter.addTo(metrics);
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
