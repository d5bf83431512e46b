import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Reading } from "../../internal/service/command-line.ts";

/** What a command line asks for. */
export interface TopCommand {
  /** Print once and end, instead of every second. */
  readonly once: boolean;
  readonly json: boolean;
}

/** The command `top`. */
export function topCommand(reading: Reading<TopCommand>): CommandUnknownOpts {
  const program = reading
    .program(
      "top",
      "Shows the pipeline as it runs: on a terminal the same picture again every second, into a pipe a block a second. Redelivered and set aside count from when the instances started; the first line has the dead letters that are there.",
      ["NATS_URL", "NATS_CREDS"],
    )
    .option("--once", "show it once and end")
    .option("--json", "one JSON object a line");
  program.action(({ once = false, json = false }) => reading.ask({ once, json }));
  return program;
}
