import { mailboxOf, StepRun } from "../../internal/actor/run.ts";
import { Worker } from "../../internal/actor/worker.ts";
import { decoder } from "../../internal/enrichment/decoding.ts";
import { pipeline, stations, stepNames } from "../../internal/enrichment/pipeline.ts";
import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamConfigs, streamVariables } from "../../internal/jetstream/topology.ts";
import { findTraps } from "../../internal/jetstream/traps.ts";
import { runService } from "../../internal/lifecycle.ts";
import { postgresPlayers } from "../../internal/players/players.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { protobufEvents } from "../../internal/protobuf/decode.ts";
import { rateVariables, sharedRates } from "../../internal/rates/shared.ts";
import { Registry } from "../../internal/registry/registry.ts";
import { TrapWatch } from "../../internal/traps.ts";

await runService({
  name: "enricher",
  summary: "runs the steps of the pipeline, each on its own mailbox; start as many as needed.",
  variables: [
    "NATS_URL",
    "NATS_CREDS",
    "DATABASE_URL",
    "STEPS",
    "HTTP_PORT",
    "HTTP_HOST",
    ...streamVariables,
    ...rateVariables,
  ],
  port: 3001,
  check: ({ STEPS = stepNames, RATES_URL }) => {
    const unknown = STEPS.filter((name) => !stepNames.includes(name));
    return {
      ...(unknown.length > 0
        ? { STEPS: `name only steps of ${stepNames.join(", ")}, not ${unknown.join(", ")}` }
        : {}),
      ...(STEPS.includes("currency") && RATES_URL === undefined
        ? { RATES_URL: "be set for the step currency, for example to https://open.er-api.com/v6/latest/EUR" }
        : {}),
    };
  },
  async start({ config, log, stopping, onClose, stuck }) {
    const { STEPS = stepNames } = config;
    const nc = await connectNats("enricher", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const db = connectPostgres(config.DATABASE_URL, "enricher", log);
    onClose("Postgres", () => db.destroy());
    const types = Registry.start(db, log);
    onClose("event types", () => types.close());
    const rates = sharedRates(nc, config, log);
    onClose("rates", () => rates.close());
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());

    const worker = new Worker({ service: "enricher", level: config.LOG_LEVEL, log, onStuck: stuck });
    onClose("watchdog", () => worker.close());

    const all = stations(pipeline({ rates, players: postgresPlayers(db) }));
    const stages = [...all.map((station) => station.takesFrom), finalStage];
    await ensureStreams(nc, stages, config, true);
    const mine = all.filter(({ step }) => STEPS.includes(step.name));
    const runs = await Promise.all(
      mine.map(({ step, takesFrom }) =>
        StepRun.start({
          step,
          takesFrom,
          decode: decoder(takesFrom, types, protobufEvents),
          nc,
          publisher,
          worker,
          replicas: config.NATS_REPLICAS,
          log: log.child({ step: step.name }),
        }),
      ),
    );
    onClose("steps", () => Promise.all(runs.map((run) => run.stop())));

    const wanted = {
      streams: streamConfigs(stages, config, nc.info?.version ?? ""),
      durables: mine.map(({ step, takesFrom }) => mailboxOf(step.name, takesFrom)),
    };
    const traps = new TrapWatch([() => findTraps(nc, wanted)], log);
    onClose("traps", () => traps.close());
    const health = buildHealth(
      {
        nats: brokerAnswers(nc),
        postgres: postgresAnswers(db),
        rates: () => rates.problem(),
        event_types: () => types.problem,
        ...Object.fromEntries(runs.map((run) => [run.name, () => run.problem])),
      },
      log,
      () => traps.warnings,
    );
    onClose("HTTP", () => health.close());
    log.info({ steps: STEPS, http: await listen(health, config) }, "ready");
    return "running";
  },
});
