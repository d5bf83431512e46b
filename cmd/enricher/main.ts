import { mailboxesOf, StepRun } from "../../internal/actor/step-run.ts";
import { WorkerProcess } from "../../internal/actor/worker-process.ts";
import { decoder } from "../../internal/enrichment/decoding.ts";
import { pipeline, stations, stepNames, stepsProblem } from "../../internal/enrichment/pipeline.ts";
import { GameTitles } from "../../internal/games/game-titles.ts";
import { BackPressure } from "../../internal/jetstream/back-pressure.ts";
import { findDrift } from "../../internal/jetstream/config-drift.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
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
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { protobufEvents } from "../../internal/protobuf/decode.ts";
import { rateVariables, sharedRates } from "../../internal/rates/shared-rates.ts";
import { Registry } from "../../internal/registry/registry.ts";
import { ConfigDriftWatch } from "../../internal/service/config-drift.ts";
import { listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { AnswerTimes, addConsumers, addPublisher, addStreams } from "../../internal/telemetry/bus-metrics.ts";
import { addEnricher } from "../../internal/telemetry/enricher-metrics.ts";
import { report } from "../../internal/telemetry/report.ts";
import { openTraces, traceVariables } from "../../internal/telemetry/traces.ts";
import { WorkMeter } from "../../internal/telemetry/work-meter.ts";

await runService({
  name: "enricher",
  summary: "runs the steps of the pipeline, each on its own mailbox; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "STEPS",
    "EVENT_MAX_AHEAD",
    "BUNDLES",
    "HTTP_PORT",
    "HTTP_HOST",
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
  async start({ config, log, stopping, onClose, stuck }) {
    const { STEPS = stepNames } = config;
    const nc = await connectNats("enricher", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const traces = await openTraces("enricher", config, log);
    onClose("traces", () => traces?.close());
    const db = connectPostgres(config.DATABASE_URL, "enricher", log);
    onClose("Postgres", () => db.destroy());
    const types = Registry.start(db, log, { beyondBudget: "wait" });
    onClose("event types", () => types.close());
    const games = GameTitles.start(db, log);
    onClose("games", () => games.close());
    const rates = sharedRates(nc, config, log);
    onClose("rates", () => rates.close());
    const worker = new WorkerProcess({ service: "enricher", level: config.LOG_LEVEL, log, onStuck: stuck });
    onClose("watchdog", () => worker.close());

    const all = stations(pipeline({ rates, players: postgresPlayers(db), games }));
    const stages = [...all.map((station) => station.takesFrom), apartStage, finalStage, retryStage];
    const streams = await StreamKeeper.open({ nc, stages, limits: config, apply: true, log });
    const times = new AnswerTimes();
    const publisher = new Publisher(nc, { meter: times, onNoStream: () => void streams.restore() });
    onClose("publisher", () => publisher.close());
    const archiverLag = new BackPressure(nc, stageStream(finalStage), archiverName, log);
    onClose("back-pressure", () => archiverLag.close());
    const mine = all.filter(({ step }) => STEPS.includes(step.name));
    const works = mine.map(({ step, takesFrom }) => ({
      step,
      takesFrom,
      meter: new WorkMeter(step.name, mailboxesOf(step.name, takesFrom)[0]),
    }));
    const runs = await Promise.all(
      works.map(({ step, takesFrom, meter }) =>
        StepRun.start({
          step,
          takesFrom,
          meter,
          trace: traces?.hop(step.name),
          decode: decoder(takesFrom, { types, other: protobufEvents, maxAheadMs: config.EVENT_MAX_AHEAD }),
          nc,
          publisher,
          worker,
          streams,
          ...(step.forwardsTo === finalStage ? { pause: () => archiverLag.problem } : {}),
          bundles: mayBundle(config.BUNDLES, nc.info?.version),
          replicas: config.NATS_REPLICAS,
          log: log.child({ step: step.name }),
        }),
      ),
    );
    onClose("steps", () => Promise.all(runs.map((run) => run.stop())));

    const wanted = {
      streams: streamConfigs(stages, config, nc.info?.version ?? ""),
      durables: mine.flatMap(({ step, takesFrom }) => mailboxesOf(step.name, takesFrom)),
    };
    const drift = new ConfigDriftWatch([() => findDrift(nc, wanted), () => findSharedAccount(nc)], log);
    onClose("drift", () => drift.close());
    const checks = {
      nats: brokerAnswers(nc),
      streams: streams.check,
      postgres: postgresAnswers(db),
      rates: () => rates.problem(),
      event_types: () => types.problem,
      games: () => games.problem,
      ...Object.fromEntries(runs.map((run) => [run.name, () => run.problem])),
    };
    const warnings = () => [...drift.warnings, ...rates.warnings()];
    const meters = works.map(({ meter }) => meter);
    const telemetry = { nc, service: "enricher", checks, warnings, works: meters, log, onClose };
    const { metrics, http } = report(telemetry);
    addPublisher(metrics, publisher, times);
    addConsumers(metrics, nc, wanted.durables);
    addStreams(
      metrics,
      nc,
      wanted.streams.map(({ name }) => name),
    );
    addEnricher(metrics, { rates, archiverLag, duplicateWindowMs: config.DUPLICATE_WINDOW });
    log.info({ steps: STEPS, http: await listen(http, config) }, "ready");
    return "running";
  },
});
