import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig } from "../../internal/config.ts";
import { createLog } from "../../internal/log.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { eventTypesHelp, readCommand, runCommand } from "../../internal/registry/command.ts";
import { RegistrationError } from "../../internal/registry/data-check.ts";
import { isUnavailable } from "../../internal/unavailable.ts";

try {
  const command = readCommand(process.argv.slice(2));
  if (command.name === "help") {
    process.stdout.write(eventTypesHelp);
  } else {
    const { DATABASE_URL, LOG_LEVEL } = readConfig(["DATABASE_URL", "LOG_LEVEL"]);
    const log = createLog("event-types", LOG_LEVEL);
    await using db = connectPostgres(DATABASE_URL, "event-types", log, { max: 1 });
    process.stdout.write(await runCommand(db, command));
  }
} catch (err) {
  const isUsage = err instanceof UsageError || err instanceof ConfigError;
  if (!isUsage && !(err instanceof RegistrationError) && !isUnavailable(err)) throw err;
  process.stderr.write(`event-types: ${err.message}\n`);
  process.exitCode = isUsage ? 78 : 1;
}
