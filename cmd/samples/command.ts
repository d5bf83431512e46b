import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { asking, type Database } from "../../internal/postgres/connect.ts";
import { isUntouched, plantSamples } from "../../internal/samples/samples.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { counted } from "../../internal/service/counted.ts";

interface SamplesCommand {
  readonly ifUntouched: boolean;
  readonly demo: boolean;
}

export function samplesCommand(reading: Reading<SamplesCommand>): CommandUnknownOpts {
  const program = reading
    .program("samples", "Adds sample clients, players, games and event types. Existing ones stay unchanged.")
    .option("--if-untouched", "only if there is no player, no event and no client but casino yet")
    .option("--demo", "also add the casinos of `up --demo`");
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
      ...(event_types > 0 ? [counted(event_types, "event type")] : []),
    ];
    return added.length === 0 ? "All samples already exist.\n" : `Added samples: ${added.join(", ")}.\n`;
  });
}
