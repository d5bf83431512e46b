import { mailboxesOf, StepRun } from "../../internal/actor/step-run.ts";
import { WorkerProcess } from "../../internal/actor/worker-process.ts";
import { decoder } from "../../internal/enrichment/decoding.ts";
import { pipeline, stations, stepNames, stepsProblem } from "../../internal/enrichment/pipeline.ts";
import { GameTitles } from "../../internal/games/game-titles.ts";
import { BackPressure } from "../../internal/jetstream/back-pressure.ts";
import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { natsVariables, openNats } from "../../internal/jetstream/connect.ts";
import { findSharedAccount } from "../../internal/jetstream/shared-account.ts";
import { StreamKeeper } from "../../internal/jetstream/stream-keeper.ts";
import { mayBundle, streamConfigs, streamVariables } from "../../internal/jetstream/topology.ts";
import {
  apartStage,
  archiverName,
  finalStage,
  retryStage,
  stageStream,
} from "../../internal/messages/subjects.ts";
import { postgresPlayers } from "../../internal/players/players.ts";
import { openPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { protobufEvents } from "../../internal/protobuf/decode.ts";
import { rateVariables, sharedRates } from "../../internal/rates/shared-rates.ts";
import { Registry } from "../../internal/registry/registry.ts";
import { httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { addStreams } from "../../internal/telemetry/bus-metrics.ts";
import { addEnricher } from "../../internal/telemetry/enricher-metrics.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openPublisher } from "../../internal/telemetry/timed-publisher.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";

await runService({
  name: "enricher",
  summary: "runs the steps of the pipeline, each on its own mailbox; start as many as needed.",
  variables: [
    ...natsVariables,
    ...(["DATABASE_URL", "STEPS", "EVENT_MAX_AHEAD", "BUNDLES"] as const),
    ...httpVariables,
    ...streamVariables,
    ...traceVariables,
    ...rateVariables,
  ],
  port: 3001,
  check: ({ STEPS = stepNames, RATES_URL }) => {
    const wrong = stepsProblem(STEPS);
    return {
      ...(wrong === undefined ? {} : { STEPS: wrong }),
      ...(STEPS.includes("currency") && RATES_URL === undefined
        ? { RATES_URL: "be set for the step currency, for example to https://open.er-api.com/v6/latest/EUR" }
        : {}),
    };
  },
  async start(run) {
    const { name, config, log, onClose, stuck } = run;
    const { STEPS = stepNames } = config;
    const nc = await openNats(run);
    const traces = await openTraces(run);
    const db = openPostgres(run);
    const types = Registry.start(db, log, { beyondBudget: "wait" });
    onClose("event types", () => types.close());
    const games = GameTitles.start(db, log);
    onClose("games", () => games.close());
    const rates = sharedRates(nc, config, log);
    onClose("rates", () => rates.close());
    const worker = new WorkerProcess({ service: name, level: config.LOG_LEVEL, log, onStuck: stuck });
    onClose("watchdog", () => worker.close());

    const all = stations(pipeline({ rates, players: postgresPlayers(db), games }));
    const stages = [...all.map((station) => station.takesFrom), apartStage, finalStage, retryStage];
    const streams = await StreamKeeper.open({ nc, stages, limits: config, apply: true, log });
    const publisher = openPublisher(run, nc, { streams });
    const archiverLag = new BackPressure(nc, stageStream(finalStage), archiverName, log);
    onClose("back-pressure", () => archiverLag.close());
    const mine = all.filter(({ step }) => STEPS.includes(step.name));
    const durables = mine.flatMap(({ step, takesFrom }) => mailboxesOf(step.name, takesFrom));
    const works: WorkMeter[] = [];
    const steps = await Promise.all(
      mine.map(({ step, takesFrom }) => {
        const meter = new WorkMeter(step.name, mailboxesOf(step.name, takesFrom)[0]);
        works.push(meter);
        return StepRun.start({
          ...{ step, takesFrom, meter, nc, publisher, worker, streams },
          trace: traces?.hop(step.name),
          decode: decoder(takesFrom, { types, other: protobufEvents, maxAheadMs: config.EVENT_MAX_AHEAD }),
          ...(step.forwardsTo === finalStage ? { pause: () => archiverLag.problem } : {}),
          bundles: mayBundle(config.BUNDLES, nc.info?.version),
          replicas: config.NATS_REPLICAS,
          log: log.child({ step: step.name }),
        });
      }),
    );
    onClose("steps", () => Promise.all(steps.map((step) => step.stop())));

    const wanted = streamConfigs(stages, config, nc.info?.version ?? "");
    const { metrics, http } = report(run, {
      ...{ nc, streams, publisher, durables, works },
      checks: {
        postgres: postgresAnswers(db),
        rates: () => rates.problem(),
        event_types: () => types.problem,
        games: () => games.problem,
        ...Object.fromEntries(steps.map((step) => [step.name, () => step.problem])),
      },
      warnings: () => rates.warnings(),
      drift: [() => findDrift(nc, { streams: wanted, durables }), () => findSharedAccount(nc)],
    });
    addStreams(metrics, nc, wanted);
    addEnricher(metrics, { rates, archiverLag, duplicateWindowMs: config.DUPLICATE_WINDOW });
    log.info({ steps: STEPS, http: await listen(http, config) }, "ready");
    return "running";
  },
});
