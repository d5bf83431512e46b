import { resolve } from "node:path";
import { UsageError } from "../../internal/command-line.ts";
import { ConfigError, readConfig, setVariables, variableNames } from "../../internal/config.ts";
import { exitCode } from "../../internal/lifecycle.ts";
import { Outlet } from "../../internal/local/outlet.ts";
import { services } from "../../internal/local/services.ts";
import { Stack } from "../../internal/local/stack.ts";
import { stopOnSignal } from "../../internal/local/stop-signals.ts";
import { readUpOptions, upHelp } from "../../internal/local/up-options.ts";

const events = new Outlet(process.stdout, () => {
  void messages.write("up: whoever read stdout is gone: events go on, unseen\n");
});
const messages = new Outlet(process.stderr, () => undefined);

// It chooses the services' ports itself.
const inherited = variableNames.filter((name) => name !== "HTTP_PORT");

/** Adds to `problems` what is wrong with a part of the configuration, so that all of it is said at once. */
function read<T>(part: () => T, problems: string[]): T | undefined {
  try {
    return part();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

const problems: string[] = [];
const options = read(() => readUpOptions(process.argv.slice(2), services), problems);
if (options === "help") {
  process.stdout.write(upHelp(services));
} else {
  // Only what is set: the defaults are for services that run alone. All of it, since the services inherit it.
  const given = read(() => readConfig(setVariables(inherited)), problems);
  if (options === undefined || given === undefined) {
    process.stderr.write(`up: ${problems.join("\n")}\n`);
    process.exitCode = exitCode.config;
  } else {
    const commands = resolve(import.meta.dirname, "..");
    const stack = new Stack({ options, given, services, commands, events, messages });
    // Whatever a start that was cut short has left open must not keep this process.
    process.exit(await stopOnSignal(stack, messages));
  }
}
