import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { asking, type Database } from "../../internal/postgres/connect.ts";
import { isUntouched, plantSamples } from "../../internal/samples/samples.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { counted } from "../../internal/service/counted.ts";

/** What a command line asks for. */
export interface SamplesCommand {
  readonly ifUntouched: boolean;
  readonly demo: boolean;
}

/** The command `samples`. */
export function samplesCommand(reading: Reading<SamplesCommand>): CommandUnknownOpts {
  const program = reading
    .program(
      "samples",
      "Adds clients, players, games and types of event for a first try. What is there already stays as it is.",
      ["DATABASE_URL"],
    )
    .option("--if-untouched", "only where there is no player, no event and no client but casino yet")
    .option("--demo", "also the games of the casinos that `up --demo` shows");
  program.action(({ ifUntouched = false, demo = false }) => reading.ask({ ifUntouched, demo }));
  return program;
}

/** Adds the samples. @returns what was done, for people @throws Unavailable */
export async function runCommand({ ifUntouched, demo }: SamplesCommand, db: Database): Promise<string> {
  return asking(undefined, async () => {
    if (ifUntouched && !(await isUntouched(db))) return "";
    const { clients, players, games, event_types } = await plantSamples(db, demo);
    const added = [
      ...(clients > 0 ? [counted(clients, "client")] : []),
      ...(players > 0 ? [counted(players, "player")] : []),
      ...(games > 0 ? [counted(games, "game")] : []),
      ...(event_types > 0 ? [counted(event_types, "type of event", "types of event")] : []),
    ];
    return added.length === 0 ? "All samples are there already.\n" : `Added samples: ${added.join(", ")}.\n`;
  });
}
