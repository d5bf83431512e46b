import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Reading } from "../../internal/service/command-line.ts";
import { duration, integer } from "../../internal/service/config-values.ts";

interface ProveCommand {
  readonly json: boolean;
  readonly waitMs: number | undefined;
  readonly sinceMs: number | undefined;
  readonly names: number;
  /** Whether a check that could not be made counts as a failure. */
  readonly strict: boolean;
}

const defaultNames = 10;
const mostNames = 100_000;

export function proveCommand(reading: Reading<ProveCommand>): CommandUnknownOpts {
  const program = reading
    .program(
      "prove",
      "Checks that every accepted event is accounted for exactly once, and names those that are not. Changes nothing.",
    )
    .addOption(
      reading.option(
        "--wait <time>",
        'wait until all events are settled, so that everything can be checked; it is a violation if they are not by then (default: do not wait; checks that need rest may be "not checked")',
        duration,
      ),
    )
    .addOption(
      reading.option(
        "--since <time>",
        "check only events accepted within this time, such as 1h (default: all that the streams retain)",
        duration,
      ),
    )
    .addOption(
      reading.option(
        "--names <n>",
        `how many of each kind to name (default: ${defaultNames})`,
        integer(0, mostNames),
      ),
    )
    .option("--strict", "exit with 1 also if something could not be checked")
    .option("--json", "the result as one JSON object")
    .addHelpText("after", exitCodes);
  program.action(({ wait, since, names = defaultNames, strict = false, json = false }) =>
    reading.ask({ waitMs: wait, sinceMs: since, names, strict, json }),
  );
  return program;
}

const exitCodes = `
Exit code 0: all that could be checked holds; 1: something is missing, or there twice, or\nwith --strict could not be checked; 69: NATS or Postgres is away, so
nothing is proved; 70: a bug; 78: the command line or the environment is wrong.`;
