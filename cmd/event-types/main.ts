import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { eventTypesCommand, runCommand as run } from "./command.ts";

await runCommand({
  name: "event-types",
  build: eventTypesCommand,
  variables: ["DATABASE_URL"],
  async run(command, tools) {
    tools.say(await run(openPostgres(tools, { max: 1 }), command, tools.askIfSeated));
  },
});
