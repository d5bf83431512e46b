import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runCommand as run, samplesCommand } from "./command.ts";

await runCommand({
  name: "samples",
  build: samplesCommand,
  variables: ["DATABASE_URL"],
  async run(command, tools) {
    tools.say(await run(command, openPostgres(tools, { max: 1 })));
  },
});
