import { playerKind } from "../../internal/players/player-kind.ts";
import type { Build } from "../../internal/service/command-line.ts";
import { clientArgument, idArgument, type RecordsCommand, recordsCommand } from "./command.ts";

/** What a command line asks for beside what all kinds of records know. */
export type ErasureCommand =
  | {
      readonly do: "erase";
      readonly client: string;
      readonly id: number;
      readonly yes: boolean;
      readonly json: boolean;
    }
  | { readonly do: "erased"; readonly client: string; readonly json: boolean };

export type PlayersCommand = RecordsCommand | ErasureCommand;

export const playersCommand: Build<PlayersCommand> = (reading) => {
  const program = recordsCommand<PlayersCommand>(playerKind)(reading);
  program
    .command("erase")
    .description(
      "erase a player's e-mail and last sign-in from players, archive and dead letters, for good; prints where they remain and until when. Asks first",
    )
    .addArgument(clientArgument(reading, "players"))
    .addArgument(idArgument(reading))
    .option("-y, --yes", "do not ask")
    .option("--json", "as JSON, for scripts")
    .action((owner, id, { yes = false, json = false }) =>
      reading.ask({ do: "erase", client: owner, id, yes, json }),
    );
  program
    .command("erased")
    .description("list which players' data were erased, when, and by whom")
    .addArgument(clientArgument(reading, "players"))
    .option("--json", "as JSON, for scripts")
    .action((owner, { json = false }) => reading.ask({ do: "erased", client: owner, json }));
  return program;
};
