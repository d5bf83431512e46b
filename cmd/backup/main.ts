import { openPostgres } from "../../internal/postgres/connect.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { backupCommand } from "./command.ts";
import { runCommand as run } from "./run.ts";

await runCommand({
  name: "backup",
  build: backupCommand,
  variables: ["DATABASE_URL"],
  asOwner: true,
  async run(command, tools) {
    // A large table takes its time.
    await run(command, { ...tools, db: openPostgres(tools, { max: 1, statementTimeoutMs: 0 }) });
  },
});
