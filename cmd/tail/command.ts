import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { clientName, eventTypeName } from "../../internal/casino/names.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { duration, integer } from "../../internal/service/config-values.ts";

export interface TailCommand {
  readonly client: string | undefined;
  readonly type: string | undefined;
  /** How far back it starts, in ms; undefined = only new events. */
  readonly sinceMs: number | undefined;
  /** After how many events it ends; undefined = never. */
  readonly limit: number | undefined;
  readonly json: boolean;
}

export function tailCommand(reading: Reading<TailCommand>): CommandUnknownOpts {
  const program = reading
    .program(
      "tail",
      "Shows final events as they come, until Ctrl-C. It takes no events from the logger or other readers.",
    )
    .addOption(reading.option("--client <client>", "only events of this client", clientName))
    .addOption(reading.option("--type <type>", "only events of this type", eventTypeName))
    .addOption(
      reading.option(
        "--since <time>",
        "start this long ago, such as 10m, as far back as CASINO_EVENTS goes (default: now)",
        duration,
      ),
    )
    .addOption(
      reading.option("--limit <n>", "end after this many events", integer(1, Number.MAX_SAFE_INTEGER)),
    )
    .option("--json", "each event as a JSON line, like the logger");
  program.action(({ client, type, since, limit, json = false }) =>
    reading.ask({ client, type, sinceMs: since, limit, json }),
  );
  return program;
}
