import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Reading } from "../../internal/service/command-line.ts";

interface TopCommand {
  /** Print once and end, instead of every second. */
  readonly once: boolean;
  readonly json: boolean;
}

export function topCommand(reading: Reading<TopCommand>): CommandUnknownOpts {
  const program = reading
    .program(
      "top",
      "Shows the live pipeline: on a terminal as one screen, refreshed every second, into a pipe as one block per second. Redeliveries and dead letters per step count since the instances started; the first line shows the dead letters in the stream.",
    )
    .option("--once", "show it once and end")
    .option("--json", "one JSON object per line");
  program.action(({ once = false, json = false }) => reading.ask({ once, json }));
  return program;
}
