import { setTimeout as sleep } from "node:timers/promises";
import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Mailbox } from "../../internal/jetstream/mailbox.ts";
import { brokerAnswers, lagWithinRetention } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { findTraps } from "../../internal/jetstream/traps.ts";
import { runService } from "../../internal/lifecycle.ts";
import { loggerDurable, logLines } from "../../internal/logger/lines.ts";
import { TrapWatch } from "../../internal/traps.ts";

/** How long the broker's last deliveries, and whoever reads stdout, are waited for; what is not written comes again. */
const farewellMs = 5_000;

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
    onClose("lines", () => Promise.race([mailbox.stop().then(() => writing), sleep(farewellMs)]));
    void writing.then((end) => end === "reader gone" && stop("whoever read stdout is gone"));

    const traps = new TrapWatch([() => findTraps(nc, { streams: [], durables: [loggerDurable] })], log);
    onClose("traps", () => traps.close());
    const health = buildHealth(
      {
        nats: brokerAnswers(nc),
        mailbox: () => mailbox.problem,
        lag: lagWithinRetention(nc, loggerDurable),
      },
      log,
      () => traps.warnings,
    );
    onClose("HTTP", () => health.close());
    log.info({ http: await listen(health, config) }, "ready");
    return "running";
  },
});
