import { parseCommandLine, UsageError } from "../command-line.ts";
import { generatorFlags } from "../generator/flags.ts";
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
  /** Names of services that are not to run. */
  readonly without: ReadonlySet<string>;
}

/** Reads the command line of `up`; "help" when that is all it asks for. Throws `UsageError`. */
export function readUpOptions(args: readonly string[], services: readonly ServiceSpec[]): UpOptions | "help" {
  const values = parse(args, services);
  if (values.help) return "help";
  const problems: string[] = [];
  let rate: number | undefined;
  try {
    if (values.rate !== undefined && values.rate !== "0") rate = generatorFlags.rate.parse(values.rate);
  } catch (error) {
    problems.push(
      `--rate must ${error instanceof Error ? error.message : error}, or 0 for none, not "${values.rate}".`,
    );
  }
  const producers: Producer[] = [];
  for (const text of values.producer ?? []) {
    try {
      producers.push(parseProducer(text));
    } catch (error) {
      problems.push(`--producer must ${error instanceof Error ? error.message : error}, not "${text}".`);
    }
  }
  const port = Number(values.port ?? 3000);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    problems.push(`--port must be an integer from 1 to 65535, not "${values.port}".`);
  }
  const data = values.data ?? ".data";
  if (data === "") problems.push("--data must name a folder.");
  if (problems.length > 0) throw new UsageError(problems.join("\n"));

  const without = new Set(services.map(({ name }) => name).filter((name) => values[`no-${name}`]));
  if (values.rate === "0") without.add("generator");
  const { fresh = false, strict = false } = values;
  return { rate, producers, port, data, fresh, strict, without };
}

/** What `--help` prints. */
export function upHelp(services: readonly ServiceSpec[]): string {
  return `up: starts Croupier on this machine, with a NATS, a Postgres and a Redis of its own unless told of others.
Final events go to stdout as JSON lines, all else to stderr. Ctrl-C stops all of it.

Flags:
  --rate N              events per second from the generator, 0 for none (default: random gaps of 0 to 100 ms)
  --producer CLIENT[:TYPE[:RATE]]
                        one more generator, for this client: casino events or those of a registered type; repeatable
  --port N              HTTP port (default 3000)
  --data DIR            where the data lies (default .data)
  --fresh               start with empty data
  --strict              let those who connect to its NATS without credentials only look, as in production
  --no-<service>        leave out one of ${services.map(({ name }) => name).join(", ")}
  --help                this text

Environment:
  NATS_URL              use this NATS instead of starting one
  DATABASE_URL          use this Postgres instead of starting one
  REDIS_URL             use this Redis instead of starting one
  RATES_URL             use this rates API instead of a local sample with fixed rates
  and the variables of the services, which their --help names
`;
}

interface Values {
  readonly rate?: string;
  readonly producer?: readonly string[];
  readonly port?: string;
  readonly data?: string;
  readonly fresh?: boolean;
  readonly strict?: boolean;
  readonly help?: boolean;
  readonly [without: `no-${string}`]: boolean | undefined;
}

function parse(args: readonly string[], services: readonly ServiceSpec[]): Values {
  const without = services.map(({ name }) => [`no-${name}`, { type: "boolean" as const }] as const);
  const { values } = parseCommandLine(
    {
      args: [...args],
      options: {
        rate: { type: "string" },
        producer: { type: "string", multiple: true },
        port: { type: "string" },
        data: { type: "string" },
        fresh: { type: "boolean" },
        strict: { type: "boolean" },
        help: { type: "boolean" },
        ...Object.fromEntries(without),
      },
    },
    "; --help lists the flags",
  );
  return values;
}
