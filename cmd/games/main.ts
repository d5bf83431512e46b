import { gameKind } from "../../internal/games/game-kind.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { type RecordsCommand, recordsCommand } from "../players/command.ts";
import { runCommand as run } from "../players/run.ts";

await runCommand<RecordsCommand, "DATABASE_URL">({
  name: "games",
  build: recordsCommand(gameKind),
  variables: ["DATABASE_URL"],
  async run(command, { config, open, ...rest }) {
    const log = createLog("games", "warn");
    const db = open.use(connectPostgres(config.DATABASE_URL, "games", log, { max: 1 }));
    await run(gameKind, command, { db, ...rest });
  },
});
