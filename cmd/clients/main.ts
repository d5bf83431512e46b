import { asking, openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runningUp } from "../../internal/service/running-up.ts";
import { clientsCommand } from "./command.ts";
import { natsAnswer, runCommand as run } from "./run.ts";

await runCommand({
  name: "clients",
  build: clientsCommand(),
  variables: ["DATABASE_URL"],
  async run(command, tools) {
    const answer = async () => {
      if (command.do === "nats") return natsAnswer(command.client);
      const db = openPostgres(tools, { max: 1 });
      const { gatewayPort } = runningUp() ?? {};
      return asking(undefined, () => run(command, db, { ...tools, gatewayPort }));
    };
    const { output, remark } = await answer();
    tools.say(output);
    tools.remark(remark);
  },
});
