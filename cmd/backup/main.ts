import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { backupCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "backup",
  build: backupCommand,
  variables: ["DATABASE_URL"],
  asOwner: true,
  async run(command, { config, open, ...rest }) {
    const log = createLog("backup", "warn");
    // A large table takes its time.
    const options = { max: 1, statementTimeoutMs: 0 };
    await run(command, {
      ...rest,
      db: open.use(connectPostgres(config.DATABASE_URL, "backup", log, options)),
    });
  },
});
