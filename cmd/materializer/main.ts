import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { streamVariables } from "../../internal/jetstream/topology.ts";
import { Fold } from "../../internal/materializer/fold.ts";
import { addFold } from "../../internal/materializer/fold-metrics.ts";
import { buildMaterializerHttp } from "../../internal/materializer/http.ts";
import { startMaterializedService } from "../../internal/materializer/nats-service.ts";
import { Replay } from "../../internal/materializer/replay.ts";
import { finalStage } from "../../internal/messages/subjects.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { report } from "../../internal/telemetry/report.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";
import manifest from "../../package.json" with { type: "json" };

await runService({
  name: "materializer",
  summary: "keeps totals, rates and top players of all final events in memory and serves them.",
  variables: [...natsVariables, "MATERIALIZER_REPLAY", "FIGURES", ...httpVariables, ...streamVariables],
  port: 3002,
  async start(run) {
    const { config, log, onClose } = run;
    const nc = await openNats(run);
    const streams = await StreamKeeper.open({ nc, stages: [finalStage], limits: config, log });

    const fold = new Fold(Math.min(config.DUPLICATE_WINDOW, config.EVENTS_MAX_AGE));
    const meter = new WorkMeter("fold");
    const replay = new Replay({ nc, fold, log, meter, streams, replay: config.MATERIALIZER_REPLAY });
    onClose("replay", () => replay.close());
    const { metrics, http } = report(run, {
      ...{ nc, streams, works: [meter] },
      checks: { replay: () => replay.problem },
      warnings: () => [fold.folded.problem].filter((problem) => problem !== undefined),
      isDiscoverable: false,
    });
    addFold(metrics, fold, replay, config.FIGURES);
    buildMaterializerHttp(http, { fold, caughtUp: () => replay.caughtUp(), figures: config.FIGURES, log });
    const address = await listen(http, config);

    // Until then other materializers answer. Without any, no answer is better than incomplete figures.
    await replay.whenCaughtUp();
    onClose(
      "NATS service",
      startMaterializedService({
        nc,
        fold,
        log,
        version: manifest.version,
        coverage: () => replay.coverage,
        caughtUp: () => replay.caughtUp(),
      }),
    );
    log.info({ http: address }, "ready");
    return "running";
  },
});
