import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Mailbox } from "../../internal/jetstream/mailbox.ts";
import { brokerAnswers, lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { runService } from "../../internal/lifecycle.ts";
import { loggerDurable, logLines } from "../../internal/logger/lines.ts";

await runService({
  name: "logger",
  summary: "writes every final event as one JSON line to stdout, and nothing else there.",
  variables: ["NATS_URL", "NATS_CREDS", "HTTP_PORT", "HTTP_HOST", ...streamVariables],
  port: 3003,
  async start({ config, log, stopping, onClose, stop }) {
    const nc = await connectNats("logger", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    await ensureStreams(nc, [finalStage], config);
    const mailbox = await Mailbox.open(nc, { durable: loggerDurable, log });
    onClose("mailbox", () => mailbox.close());
    const writing = logLines(mailbox, process.stdout);
    onClose("lines", async () => {
      await mailbox.stop();
      await writing;
    });
    void writing.then((end) => end === "reader gone" && stop("whoever read stdout is gone"));

    const health = buildHealth(
      {
        nats: brokerAnswers(nc),
        mailbox: () => mailbox.problem,
        lag: lagWithinRetention(nc, loggerDurable),
      },
      log,
    );
    onClose("HTTP", () => health.close());
    log.info({ http: await listen(health, config) }, "ready");
    return "running";
  },
});
