import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { Reader } from "../../internal/jetstream/reader.ts";
import { lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { stdoutOf } from "../../internal/logger/file-out.ts";
import { loggerDurable, logLines } from "../../internal/logger/lines.ts";
import { finalStage } from "../../internal/messages/subjects.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { report } from "../../internal/telemetry/report.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";

await runService({
  name: "logger",
  summary: "writes every final event to stdout as one JSON line, and nothing else.",
  variables: [...natsVariables, ...httpVariables, ...streamVariables],
  port: 3003,
  async start(run) {
    const { config, log, onClose, stop, fail } = run;
    const nc = await openNats(run);
    const streams = await StreamKeeper.open({ nc, stages: [finalStage], limits: config, log });
    const meter = new WorkMeter("log", loggerDurable);
    const reader = new Reader(loggerDurable.name, { nc, log, streams });
    const mailbox = await reader.open({ durable: loggerDurable, meter, gathers: true });
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

    const durables = [loggerDurable];
    const { http } = report(run, {
      ...{ nc, streams, durables, works: [meter] },
      checks: {
        mailbox: () => reader.problem,
        stdout: () => out.problem,
        lag: lagWithinRetention(nc, loggerDurable),
      },
      drift: [() => findDrift(nc, { streams: [], durables })],
    });
    log.info({ http: await listen(http, config) }, "ready");
    return "running";
  },
});
