import { randomInt } from "node:crypto";
import { parseCommandLine, UsageError } from "../../internal/command-line.ts";
import { named } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";

/** What a run is asked to do. */
export interface ChaosOptions {
  readonly seed: number;
  /** At least this many events, shared among the faults. */
  readonly events: number;
  /** The faults are gone through again and again until so many minutes are over; 0 = once. */
  readonly minutes: number;
  /** Messages per second while the load is steady. */
  readonly rate: number;
  readonly faults: readonly Fault[];
  readonly natsServer: string | undefined;
  /** A Markdown file that the report is written to. */
  readonly report: string | undefined;
  /** Where servers and services keep their data and logs; default: a new folder, removed when all went well. */
  readonly data: string | undefined;
  readonly outageMs: number;
  readonly pauseMs: number;
  readonly queueMaxBytes: number;
}

const defaults = {
  events: 50_000,
  minutes: 0,
  rate: 1_500,
  "outage-minutes": 0.25,
  "pause-seconds": 35,
  "queue-mib": 4,
};

export const usage = `npm run chaos -- [flags]
Runs the whole system on servers of its own, breaks it in every way it knows under load, and checks after each fault that
every accepted event is in Postgres and in the aggregates exactly once. Exit code 1 when anything is lost or doubled.

  --seed N              makes load, faults and their order the same again (default: any; it is printed)
  --events N            at least so many events, shared among the faults (default ${defaults.events})
  --minutes N           go through the faults again and again until N minutes are over (default: once)
  --rate N              messages per second while the load is neither lull nor burst (default ${defaults.rate})
  --faults a,b          only these, in this order (default: all but sabotage, in an order of the seed's)
  --nats-server PATH    the nats-server to run (default: the one on PATH)
  --report FILE         also writes the report there, as Markdown
  --data DIR            where data and logs go (default: a new folder, removed when all went well)
  --outage-minutes N    how long postgres-away, redis-away and rates-away last (default ${defaults["outage-minutes"]})
  --pause-seconds N     how long processes are paused; ack_wait is 30 (default ${defaults["pause-seconds"]})
  --queue-mib N         QUEUE_MAX_BYTES in MiB: small, so that queues do get full (default ${defaults["queue-mib"]})
  --help

Faults:
${named.map(({ name, what }) => `  ${name.padEnd(22)}${what}`).join("\n")}
`;

/** Reads the command line; undefined when it asks for help. @throws UsageError */
export function readOptions(args: readonly string[]): ChaosOptions | undefined {
  const text = { type: "string" } as const;
  const flags = {
    ...{
      seed: text,
      events: text,
      minutes: text,
      rate: text,
      faults: text,
      "nats-server": text,
      report: text,
    },
    ...{ data: text, "outage-minutes": text, "pause-seconds": text, "queue-mib": text },
    help: { type: "boolean" },
  } as const;
  const { values } = parseCommandLine({ args: [...args], options: flags }, "; --help lists the flags");
  if (values.help) return undefined;
  const problems: string[] = [];
  const number = (name: keyof typeof flags, preset: number, min: number): number => {
    const given = values[name];
    const value = given === undefined ? preset : Number(given);
    if (!(value >= min)) problems.push(`--${name} must be a number from ${min}, not "${given}".`);
    return value;
  };
  const string = (name: keyof typeof flags) => (typeof values[name] === "string" ? values[name] : undefined);
  const names = string("faults")?.split(",");
  const unknown = names?.filter((name) => !named.some((fault) => fault.name === name)) ?? [];
  if (unknown.length > 0) problems.push(`There is no fault ${unknown.join(", ")}: --help lists them.`);
  const options: ChaosOptions = {
    seed: Math.floor(number("seed", randomInt(2 ** 31), 0)),
    events: number("events", defaults.events, 1),
    minutes: number("minutes", defaults.minutes, 0),
    rate: number("rate", defaults.rate, 1),
    faults: names === undefined ? [] : names.flatMap((name) => named.filter((fault) => fault.name === name)),
    natsServer: string("nats-server"),
    report: string("report"),
    data: string("data"),
    outageMs: number("outage-minutes", defaults["outage-minutes"], 0) * 60_000,
    pauseMs: number("pause-seconds", defaults["pause-seconds"], 0) * 1_000,
    queueMaxBytes: number("queue-mib", defaults["queue-mib"], 1) * 2 ** 20,
  };
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return options;
}
