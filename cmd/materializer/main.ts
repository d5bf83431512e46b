import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { runService } from "../../internal/lifecycle.ts";
import { Fold } from "../../internal/materializer/fold.ts";
import { buildMaterializerHttp } from "../../internal/materializer/http.ts";
import { startMaterializedService } from "../../internal/materializer/nats-service.ts";
import { Replay } from "../../internal/materializer/replay.ts";
import manifest from "../../package.json" with { type: "json" };

await runService({
  name: "materializer",
  summary: "keeps totals, rates and top players of all final events in memory and answers for them.",
  variables: ["NATS_URL", "NATS_CREDS", "MATERIALIZER_REPLAY", "HTTP_PORT", "HTTP_HOST", ...streamVariables],
  port: 3002,
  async start({ config, log, stopping, onClose }) {
    const nc = await connectNats("materializer", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    await ensureStreams(nc, [finalStage], config);

    const fold = new Fold();
    const replay = new Replay({ nc, fold, log, replay: config.MATERIALIZER_REPLAY });
    onClose("replay", () => replay.close());
    const http = buildHealth({ nats: brokerAnswers(nc), replay: () => replay.problem }, log);
    onClose("HTTP", () => http.close());
    buildMaterializerHttp(http, fold, () => replay.caughtUp(), Date.now, log);
    const address = await listen(http, config);

    // Other materializers go on answering meanwhile; where there is none, nobody answers rather than with half figures.
    await replay.whenCaughtUp();
    onClose(
      "NATS service",
      startMaterializedService({
        nc,
        fold,
        log,
        version: manifest.version,
        coverage: () => replay.coverage,
      }),
    );
    log.info({ http: address }, "ready");
    return "running";
  },
});
