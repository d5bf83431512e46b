import { generatorFlags } from "../generator/flags.ts";
import type { Build } from "../service/command-line.ts";
import { integer } from "../service/config-values.ts";
import { usualData } from "../service/running-up.ts";
import { type Producer, parseProducer } from "./producers.ts";
import type { ServiceSpec } from "./services.ts";

/** What the command line of `up` asks for. */
export interface UpOptions {
  /** Events per second from the generator; undefined = its own random gaps, unless it is among `without`. */
  readonly rate: number | undefined;
  /** Generators beside the first. */
  readonly producers: readonly Producer[];
  readonly port: number;
  readonly data: string;
  readonly fresh: boolean;
  /** Whoever connects to its NATS without credentials may only look. */
  readonly strict: boolean;
  /** On a terminal too it shows all that the services say. */
  readonly verbose: boolean;
  /** Two more casinos, with games, producers and webhooks of their own. */
  readonly demo: boolean;
  /** Adds the samples to a database that nobody has used yet. */
  readonly samples: boolean;
  /** Names of services that are not to run. */
  readonly without: ReadonlySet<string>;
}

/** The command `up`. */
export function upCommand(services: readonly ServiceSpec[]): Build<UpOptions> {
  return (reading) => {
    const program = reading
      .program(
        "up",
        "Starts Croupier on this machine, with a NATS, a Postgres and a Redis of its own unless told of others. Final events go to stdout as JSON lines, all else to stderr. Ctrl-C stops all of it.",
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
          "one more generator, for this client: casino events or those of a registered type; repeatable",
          parseProducer,
        ),
      )
      .addOption(reading.option("--port <n>", "HTTP port (default: 3000)", integer(1, 65_535)))
      .option("--data <dir>", "where the data lies (default: CROUPIER_DATA, or .data)")
      .option("--fresh", "start with empty data")
      .option("--strict", "let those who connect to its NATS without credentials only look, as in production")
      .option(
        "--verbose",
        "on a terminal, show all that the services log; else warnings and a line of figures",
      )
      .option(
        "--demo",
        "add two more casinos, with games, currencies, producers, keys and webhooks of their own",
      )
      .option("--no-samples", "add no sample clients, players and types of event to a new database");
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
    return generatorFlags.rate.parse(text);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}, or 0 for none`);
  }
}

const environmentHelp = `
Environment:
  NATS_URL              use this NATS instead of starting one
  DATABASE_URL          use this Postgres instead of starting one
  REDIS_URL             use this Redis instead of starting one
  RATES_URL             use this rates API instead of a local sample with fixed rates
  and the variables of the services, which their --help names`;
