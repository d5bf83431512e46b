import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { deliveriesCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "deliveries",
  build: deliveriesCommand,
  variables: ["DATABASE_URL"],
  run: (command, tools) => run(command, { ...tools, db: openPostgres(tools, { max: 1 }) }),
});
