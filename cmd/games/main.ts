import { gameKind } from "../../internal/games/game-kind.ts";
import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { type RecordsCommand, recordsCommand } from "../players/command.ts";
import { runCommand as run } from "../players/run.ts";

await runCommand<RecordsCommand, "DATABASE_URL">({
  name: "games",
  build: recordsCommand(gameKind),
  variables: ["DATABASE_URL"],
  run: (command, tools) => run(gameKind, command, { ...tools, db: openPostgres(tools, { max: 1 }) }),
});
