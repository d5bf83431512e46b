import { readCommand, usage } from "../../internal/clients/command.ts";
import { CommandError, runCommand } from "../../internal/clients/run-command.ts";
import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig } from "../../internal/config.ts";
import { createLog } from "../../internal/log.ts";
import { asUnavailable, connectPostgres } from "../../internal/postgres/connect.ts";
import { isUnavailable } from "../../internal/unavailable.ts";

try {
  const command = readCommand(process.argv.slice(2));
  if (command.do === "help") {
    process.stdout.write(usage);
  } else {
    const { DATABASE_URL } = readConfig(["DATABASE_URL"]);
    await using db = connectPostgres(DATABASE_URL, "clients", createLog("clients", "warn"), { max: 1 });
    const { output, remark } = await runCommand(command, db);
    process.stdout.write(output);
    process.stderr.write(remark);
  }
} catch (err) {
  const away = asUnavailable(err);
  if (err instanceof UsageError || err instanceof ConfigError) {
    process.stderr.write(`clients: ${err.message}\n--help shows the commands.\n`);
    process.exitCode = 78;
  } else if (err instanceof CommandError) {
    process.stderr.write(`clients: ${err.message}\n`);
    process.exitCode = 1;
  } else if (isUnavailable(away)) {
    process.stderr.write(`clients: ${away.message}\n`);
    process.exitCode = 1;
  } else throw err;
}
