import { resolve } from "node:path";
import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig, setVariables } from "../../internal/config.ts";
import { Outlet } from "../../internal/local/outlet.ts";
import { services } from "../../internal/local/services.ts";
import { Stack } from "../../internal/local/stack.ts";
import { stopOnSignal } from "../../internal/local/stop-signals.ts";
import { readUpOptions, upHelp } from "../../internal/local/up-options.ts";

const events = new Outlet(process.stdout, () => {
  void messages.write("up: whoever read stdout is gone: events go on, unseen\n");
});
const messages = new Outlet(process.stderr, () => undefined);

try {
  const options = readUpOptions(process.argv.slice(2), services);
  if (options === "help") {
    process.stdout.write(upHelp(services));
  } else {
    const names = ["NATS_URL", "DATABASE_URL", "REDIS_URL", "RATES_URL"] as const;
    // Only those that are set: the others' defaults are for services that run alone.
    const given = readConfig(setVariables(names));
    const commands = resolve(import.meta.dirname, "..");
    const stack = new Stack({ options, given, services, commands, events, messages });
    // Whatever a start that was cut short has left open must not keep this process.
    process.exit(await stopOnSignal(stack, messages));
  }
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
  process.stderr.write(`up: ${error.message}\n`);
  process.exitCode = 78;
}
