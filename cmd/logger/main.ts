import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Reader } from "../../internal/jetstream/reader.ts";
import { brokerAnswers, lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { stdoutOf } from "../../internal/logger/file-out.ts";
import { loggerDurable, logLines } from "../../internal/logger/lines.ts";
import { finalStage } from "../../internal/messages/subjects.ts";
import { ConfigDriftWatch } from "../../internal/service/config-drift.ts";
import { listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { addConsumers } from "../../internal/telemetry/bus-metrics.ts";
import { report } from "../../internal/telemetry/report.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";

await runService({
  name: "logger",
  summary: "writes every final event to stdout as one JSON line, and nothing else.",
  variables: ["NATS_URL", "NATS_CREDS", "HTTP_PORT", "HTTP_HOST", ...streamVariables],
  port: 3003,
  async start({ config, log, stopping, onClose, stop, fail }) {
    const nc = await connectNats("logger", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const streams = await StreamKeeper.open({ nc, stages: [finalStage], limits: config, log });
    const meter = new WorkMeter("log", loggerDurable);
    const reader = new Reader(loggerDurable.name, { nc, log, streams });
    const mailbox = await reader.open({ durable: loggerDurable, meter });
    const out = stdoutOf(log);
    const writing = logLines(mailbox, out).then(
      (end) => {
        if (end === "stopped") return;
        reader.abandon();
        stop("the reader of stdout is gone");
      },
      (err: Error) => {
        reader.abandon();
        fail(err);
      },
    );
    reader.run(writing);
    onClose("lines", () => reader.stop());

    const drift = new ConfigDriftWatch(
      [() => findDrift(nc, { streams: [], durables: [loggerDurable] })],
      log,
    );
    onClose("drift", () => drift.close());
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      mailbox: () => reader.problem,
      stdout: () => out.problem,
      lag: lagWithinRetention(nc, loggerDurable),
    };
    const warnings = () => drift.warnings;
    const telemetry = { nc, service: "logger", checks, warnings, works: [meter], log, onClose };
    const { metrics, http } = report(telemetry);
    addConsumers(metrics, nc, [loggerDurable]);
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
