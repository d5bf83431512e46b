import { asking, connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runningUp } from "../../internal/service/running-up.ts";
import { clientsCommand } from "./command.ts";
import { natsAnswer, runCommand as run } from "./run.ts";

await runCommand({
  name: "clients",
  build: clientsCommand(),
  variables: ["DATABASE_URL"],
  async run(command, { config, say, remark, open, ask, askIfSeated }) {
    const answer = async () => {
      if (command.do === "nats") return natsAnswer(command.client);
      const log = createLog("clients", "warn");
      const db = open.use(connectPostgres(config.DATABASE_URL, "clients", log, { max: 1 }));
      const { gatewayPort } = runningUp() ?? {};
      return asking(undefined, () => run(command, db, { ask, askIfSeated, gatewayPort }));
    };
    const { output, remark: remarks } = await answer();
    say(output);
    remark(remarks);
  },
});
