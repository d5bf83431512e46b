import { Archiver, archiverDurable } from "../../internal/archive/archiver.ts";
import { keepFor } from "../../internal/archive/retention.ts";
import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers, lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { findTraps } from "../../internal/jetstream/traps.ts";
import { runService } from "../../internal/lifecycle.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { postgresTraps } from "../../internal/postgres/traps.ts";
import { TrapWatch } from "../../internal/traps.ts";

await runService({
  name: "archiver",
  summary: "keeps every final event in Postgres, once; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "ARCHIVE_RETENTION",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
  ],
  port: 3004,
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("archiver", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const db = connectPostgres(config.DATABASE_URL, "archiver", log);
    onClose("Postgres", () => db.destroy());
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());

    await ensureStreams(nc, [finalStage], config);
    const archiver = await Archiver.start({ nc, db, publisher, log });
    onClose("archiver", () => archiver.stop());
    const retentionMs = config.ARCHIVE_RETENTION;
    if (retentionMs !== undefined) void keepFor(db, { retentionMs, log, signal: stopping });

    const wanted = { streams: [], durables: [archiverDurable] };
    const traps = new TrapWatch([() => findTraps(nc, wanted), () => postgresTraps(db)], log);
    onClose("traps", () => traps.close());
    const health = buildHealth(
      {
        nats: brokerAnswers(nc),
        postgres: postgresAnswers(db),
        archiver: () => archiver.problem,
        lag: lagWithinRetention(nc, archiverDurable),
      },
      log,
      () => traps.warnings,
    );
    onClose("HTTP", () => health.close());
    log.info({ http: await listen(health, config) }, "ready");
    return "running";
  },
});
