import { asking, openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runningUp } from "../../internal/service/running-up.ts";
import { clientsCommand } from "./command.ts";
import { printAccount, runCommand as run } from "./run.ts";

await runCommand({
  name: "clients",
  build: clientsCommand(),
  variables: ["DATABASE_URL"],
  async run(command, tools) {
    if (command.do === "nats") return printAccount(command.client, tools);
    const db = openPostgres(tools, { max: 1 });
    await asking(undefined, () => run(command, { ...tools, db, gatewayPort: runningUp()?.gatewayPort }));
  },
});
