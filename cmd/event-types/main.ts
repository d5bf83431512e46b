import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { eventTypesCommand, runCommand as run } from "./command.ts";

await runCommand({
  name: "event-types",
  build: eventTypesCommand,
  variables: ["DATABASE_URL"],
  async run(command, { config, say, open, askIfSeated }) {
    const log = createLog("event-types", "warn");
    const db = open.use(connectPostgres(config.DATABASE_URL, "event-types", log, { max: 1 }));
    say(await run(db, command, askIfSeated));
  },
});
