import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { deliveriesCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "deliveries",
  build: deliveriesCommand,
  variables: ["DATABASE_URL"],
  async run(command, { config, open, ...rest }) {
    const log = createLog("deliveries", "warn");
    const db = open.use(connectPostgres(config.DATABASE_URL, "deliveries", log, { max: 1 }));
    await run(command, { db, ...rest });
  },
});
