import { randomInt } from "node:crypto";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Reading } from "../../internal/service/command-line.ts";
import { named } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";

/** The options of a run. */
export interface ChaosOptions {
  readonly seed: number;
  /** Minimum number of events, divided among the faults. */
  readonly events: number;
  /** Repeat the faults until this many minutes are over; 0 = once. */
  readonly minutes: number;
  /** Messages per second while the load is steady. */
  readonly rate: number;
  readonly faults: readonly Fault[];
  readonly natsServer: string | undefined;
  /** Whether a hostile producer runs beside the load. */
  readonly hostile: boolean;
  /** A Markdown file that the report is written to. */
  readonly report: string | undefined;
  /** The folder of data and logs; default: a new one, removed after a clean run. */
  readonly data: string | undefined;
  readonly outageMs: number;
  readonly pauseMs: number;
  readonly queueMaxBytes: number;
}

const defaults = {
  events: 50_000,
  minutes: 0,
  rate: 1_500,
  outageMinutes: 0.25,
  pauseSeconds: 12,
  queueMib: 4,
};

/** The command `chaos`. */
export function chaosCommand(reading: Reading<ChaosOptions>): CommandUnknownOpts {
  const number = <F extends string>(form: F, doc: string, min: number) =>
    reading.option(form, doc, (text) => {
      const value = Number(text);
      if (!(value >= min)) throw new Error(`be a number from ${min}`);
      return value;
    });
  const program = reading
    .program(
      "chaos",
      "Runs the whole system on its own servers, injects faults under load, and checks after each fault that every accepted event is in Postgres and in the aggregates exactly once. Exit code 1 if anything is lost or doubled.",
    )
    .option("--report <file>", "also write the report to this file, as Markdown")
    .option("--data <dir>", "folder for data and logs (default: a new one, removed after a clean run)")
    .option("--nats-server <path>", "the nats-server to run (default: the one on PATH)")
    .option(
      "--no-hostile",
      "run without the hostile producer of the client mallory (the cluster never has one, because it has no accounts)",
    )
    .addOption(
      reading.option("--faults <a,b>", "only these, in this order (default: all but sabotage)", faultsOf),
    )
    .addOption(number("--seed <n>", "determines load, faults and their order; each run prints its seed", 0))
    .addOption(
      number(
        "--events <n>",
        `minimum number of events, divided among the faults (default: ${defaults.events})`,
        1,
      ),
    )
    .addOption(number("--minutes <n>", "repeat the faults until N minutes are over (default: once)", 0))
    .addOption(
      number("--rate <n>", `messages per second between lulls and bursts (default: ${defaults.rate})`, 1),
    )
    .addOption(
      number(
        "--outage-minutes <n>",
        `how long postgres-away, redis-away and rates-away last (default: ${defaults.outageMinutes})`,
        0,
      ),
    )
    .addOption(
      number(
        "--pause-seconds <n>",
        `how long processes are paused; ack_wait is 5 (default: ${defaults.pauseSeconds})`,
        0,
      ),
    )
    .addOption(
      number(
        "--queue-mib <n>",
        `QUEUE_MAX_BYTES in MiB; small, so that queues become full (default: ${defaults.queueMib})`,
        1,
      ),
    )
    .addHelpText(
      "after",
      `\nFaults:\n${named.map(({ name, what }) => `  ${name.padEnd(22)}${what}`).join("\n")}`,
    );
  program.action((flags) => {
    reading.ask({
      seed: Math.floor(flags.seed ?? randomInt(2 ** 31)),
      events: flags.events ?? defaults.events,
      minutes: flags.minutes ?? defaults.minutes,
      rate: flags.rate ?? defaults.rate,
      faults: flags.faults ?? [],
      natsServer: flags.natsServer,
      hostile: flags.hostile,
      report: flags.report,
      data: flags.data,
      outageMs: (flags.outageMinutes ?? defaults.outageMinutes) * 60_000,
      pauseMs: (flags.pauseSeconds ?? defaults.pauseSeconds) * 1_000,
      queueMaxBytes: (flags.queueMib ?? defaults.queueMib) * 2 ** 20,
    });
  });
  return program;
}

function faultsOf(text: string): readonly Fault[] {
  return text.split(",").map((name) => {
    const found = named.find((fault) => fault.name === name);
    if (found === undefined) throw new Error("name faults that --help lists");
    return found;
  });
}
