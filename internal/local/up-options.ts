import { eventRate } from "../generator/flags.ts";
import type { Build } from "../service/command-line.ts";
import { integer } from "../service/config-values.ts";
import { reasonOf } from "../service/log.ts";
import { usualData } from "../service/running-up.ts";
import { type Producer, parseProducer } from "./producers.ts";
import type { ServiceSpec } from "./services.ts";

export interface UpOptions {
  /** Events per second from the generator; undefined = random gaps. */
  readonly rate: number | undefined;
  /** Additional generators. */
  readonly producers: readonly Producer[];
  readonly port: number;
  readonly data: string;
  readonly fresh: boolean;
  /** Anonymous NATS connections are read-only. */
  readonly strict: boolean;
  /** A terminal, too, shows the services' whole log. */
  readonly verbose: boolean;
  /** Adds two casinos with their own games, producers and webhooks. */
  readonly demo: boolean;
  /** Adds the samples to an unused database. */
  readonly samples: boolean;
  /** Names of services that do not run. */
  readonly without: ReadonlySet<string>;
}

export function upCommand(services: readonly ServiceSpec[]): Build<UpOptions> {
  return (reading) => {
    const program = reading
      .program(
        "up",
        "Starts Croupier on this machine, with its own NATS, Postgres and Redis unless the environment names others. Final events go to stdout as JSON lines, everything else to stderr. Ctrl-C stops everything.",
      )
      .addOption(
        reading.option(
          "--rate <n>",
          "events per second from the generator, 0 for none (default: random gaps of 0 to 100 ms)",
          rateOrNone,
        ),
      )
      .addOption(
        reading.repeatable(
          "--producer <client[:type[:rate]]>",
          "add a generator for this client: casino events, or those of a registered type; repeatable",
          parseProducer,
        ),
      )
      .addOption(reading.option("--port <n>", "HTTP port (default: 3000)", integer(1, 65_535)))
      .option("--data <dir>", "the data folder (default: CROUPIER_DATA, or .data)")
      .option("--fresh", "delete existing data first")
      .option("--strict", "make anonymous NATS connections read-only, as in production")
      .option("--verbose", "on a terminal, show the services' whole log, not only warnings and a status line")
      .option("--demo", "add two casinos with their own games, currencies, producers, keys and webhooks")
      .option("--no-samples", "add no sample clients, players and event types to a new database");
    for (const { name } of services) program.option(`--no-${name}`, `leave out ${name}`);
    program
      .addHelpText("after", environmentHelp)
      .action(
        ({
          rate,
          producer = [],
          port = 3000,
          data = usualData(),
          fresh = false,
          strict = false,
          verbose = false,
          demo = false,
          samples,
          ...flags
        }) => {
          if (data === "") reading.problems.push("--data must name a folder.");
          const left: Readonly<Record<string, unknown>> = flags;
          const without = new Set(services.map(({ name }) => name).filter((name) => left[name] === false));
          if (rate === "none") without.add("generator");
          const perSecond = rate === "none" ? undefined : rate;
          reading.ask({
            rate: perSecond,
            producers: producer,
            port,
            data,
            fresh,
            strict,
            verbose,
            demo,
            samples,
            without,
          });
        },
      );
    return program;
  };
}

function rateOrNone(text: string): number | "none" {
  if (text === "0") return "none";
  try {
    return eventRate(text);
  } catch (error) {
    throw new Error(`${reasonOf(error)}, or 0 for none`);
  }
}

const environmentHelp = `
Environment:
  NATS_URL              use this NATS instead of starting one
  DATABASE_URL          use this Postgres instead of starting one
  REDIS_URL             use this Redis instead of starting one
  RATES_URL             use this rates API instead of a local sample with fixed rates
  and the variables of the services, which their --help names`;
