import { connectPostgres } from "../../internal/postgres/connect.ts";
import { createLog } from "../../internal/service/log.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { runCommand as run, samplesCommand } from "./command.ts";

await runCommand({
  name: "samples",
  build: samplesCommand,
  variables: ["DATABASE_URL"],
  async run(command, { config, say, open }) {
    const db = open.use(
      connectPostgres(config.DATABASE_URL, "samples", createLog("samples", "warn"), { max: 1 }),
    );
    say(await run(command, db));
  },
});
