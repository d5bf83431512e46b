import { Archiver, archiverDurable } from "../../internal/archive/archiver.ts";
import { keepFor } from "../../internal/archive/retention.ts";
import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { finalStage } from "../../internal/messages/subjects.ts";
import { postgresDrift } from "../../internal/postgres/config-drift.ts";
import { openPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { ArchiveMeter } from "../../internal/telemetry/archive-meter.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openPublisher } from "../../internal/telemetry/timed-publisher.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";

await runService({
  name: "archiver",
  summary: "stores every final event in Postgres, once; start as many as needed.",
  variables: [
    ...natsVariables,
    ...(["DATABASE_URL", "ARCHIVE_RETENTION"] as const),
    ...httpVariables,
    ...streamVariables,
    ...traceVariables,
  ],
  port: 3004,
  async start(run) {
    const { config, log, signal, onClose } = run;
    const nc = await openNats(run);
    const traces = await openTraces(run);
    const db = openPostgres(run);
    const streams = await StreamKeeper.open({ nc, stages: [finalStage], limits: config, log });
    const publisher = openPublisher(run, nc, { streams });

    const meter = new ArchiveMeter("archive", archiverDurable);
    const archiver = await Archiver.start({
      ...{ nc, db, publisher, log, meter, streams },
      trace: traces?.hop(archiverDurable.name),
    });
    onClose("archiver", () => archiver.stop());
    const retentionMs = config.ARCHIVE_RETENTION;
    if (retentionMs !== undefined) void keepFor(db, { retentionMs, log, signal });

    const durables = [archiverDurable];
    const { metrics, http } = report(run, {
      ...{ nc, streams, publisher, durables, works: [meter] },
      checks: {
        postgres: postgresAnswers(db),
        archiver: () => archiver.problem,
        lag: lagWithinRetention(nc, archiverDurable),
      },
      drift: [() => findDrift(nc, { streams: [], durables }), () => postgresDrift(db)],
    });
    meter.addTo(metrics);
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
