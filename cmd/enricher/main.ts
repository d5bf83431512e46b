import { StepRun } from "../../internal/actor/run.ts";
import { decoder } from "../../internal/enrichment/decoding.ts";
import { pipeline, stations, stepNames } from "../../internal/enrichment/pipeline.ts";
import { buildHealth, listen } from "../../internal/health.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { brokerAnswers } from "../../internal/jetstream/readiness.ts";
import { finalStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { runService } from "../../internal/lifecycle.ts";
import { postgresPlayers } from "../../internal/players/players.ts";
import { connectPostgres, postgresAnswers } from "../../internal/postgres/connect.ts";
import { protobufEvents } from "../../internal/protobuf/decode.ts";
import { rateVariables, sharedRates } from "../../internal/rates/shared.ts";
import { Registry } from "../../internal/registry/registry.ts";

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
  check: ({ STEPS = [], RATES_URL }) => {
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
  async start({ config, log, stopping, onClose }) {
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

    const all = stations(pipeline({ rates, players: postgresPlayers(db) }));
    await ensureStreams(nc, [...all.map((station) => station.takesFrom), finalStage], config, true);
    const runs = await Promise.all(
      all
        .filter(({ step }) => config.STEPS.includes(step.name))
        .map(({ step, takesFrom }) =>
          StepRun.start({
            step,
            takesFrom,
            decode: decoder(takesFrom, types, protobufEvents),
            nc,
            publisher,
            log: log.child({ step: step.name }),
          }),
        ),
    );
    onClose("steps", () => Promise.all(runs.map((run) => run.stop())));

    const health = buildHealth(
      {
        nats: brokerAnswers(nc),
        postgres: postgresAnswers(db),
        rates: () => rates.problem(),
        event_types: () => types.problem,
        ...Object.fromEntries(runs.map((run) => [run.name, () => run.problem])),
      },
      log,
    );
    onClose("HTTP", () => health.close());
    log.info({ steps: config.STEPS, http: await listen(health, config) }, "ready");
    return "running";
  },
});
