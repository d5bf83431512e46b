import { resolve } from "node:path";
import { pino } from "pino";
import { layout, stepsProblem } from "../../internal/enrichment/pipeline.ts";
import { checkProducers } from "../../internal/generator/client-check.ts";
import { type StreamLimits, streamVariables } from "../../internal/jetstream/topology.ts";
import { Outlet } from "../../internal/local/outlet.ts";
import { services } from "../../internal/local/services.ts";
import { Stack } from "../../internal/local/stack.ts";
import { StatusLine } from "../../internal/local/status-line.ts";
import { stopOnSignal } from "../../internal/local/stop-signals.ts";
import { upCommand } from "../../internal/local/up-options.ts";
import { stdoutOf } from "../../internal/logger/file-out.ts";
import { apartStage, finalStage } from "../../internal/messages/subjects.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { tryServers } from "../../internal/preflight/try-servers.ts";
import { readCommandLine, TextAsked, UsageError } from "../../internal/service/command-line.ts";
import {
  type Check,
  ConfigError,
  misspeltVariables,
  readConfig,
  setVariables,
} from "../../internal/service/config.ts";
import { exitCode } from "../../internal/service/exit-code.ts";
import { createLog, logOptions } from "../../internal/service/log.ts";
import { listed } from "../../internal/service/run-command.ts";
import { type VariableName, variableNames } from "../../internal/service/variables.ts";

const bottom = new StatusLine(process.stderr);
const messages = new Outlet(process.stderr, () => undefined, bottom);

const readerGone = "up: the reader of stdout is gone; events continue\n";
// Where events go to the same terminal they run above the line at its bottom.
const events = new Outlet(
  stdoutOf(
    pino(logOptions("up", "info"), { write: (line) => void messages.write(`up: ${JSON.parse(line).msg}\n`) }),
  ),
  () => void messages.write(readerGone),
  process.stdout.isTTY ? bottom : undefined,
);

// `up` chooses the services' ports itself.
const inherited = variableNames.filter((name) => name !== "HTTP_PORT");

/** The rule of the enricher about STEPS, which would otherwise stop `up` only once all servers run. */
const checkSteps: Check<VariableName> = ({ STEPS = [] }) => {
  const wrong = stepsProblem(STEPS);
  return wrong === undefined ? {} : { STEPS: wrong };
};

/** Adds the mistakes of a part of the configuration to `problems`, so that all are reported at once. */
function read<T>(part: () => T, problems: string[]): T | undefined {
  try {
    return part();
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/** The streams that the services will create, with the given or default limits. */
function streamNeeds(given: Partial<StreamLimits>) {
  return {
    limits: { ...readConfig(streamVariables), ...given },
    isSet: given.EVENTS_MAX_BYTES !== undefined || given.QUEUE_MAX_BYTES !== undefined,
    stages: [...layout.map(({ takesFrom }) => takesFrom), apartStage, finalStage],
  };
}

const problems: string[] = [];
const options = read(() => readCommandLine(upCommand(services), process.argv.slice(2)), problems);
if (options instanceof TextAsked) {
  process.stdout.write(options.text);
} else {
  // Only what is set: the defaults are for services that run alone. All of it, since the services inherit it.
  const given = read(() => readConfig(setVariables(inherited), {}, undefined, checkSteps), problems);
  if (options === undefined || given === undefined) {
    process.stderr.write(`up: ${listed(problems)}`);
    process.exitCode = exitCode.config;
  } else {
    for (const hint of misspeltVariables()) process.stderr.write(`up: ${hint}\n`);
    const commands = resolve(import.meta.dirname, "..");
    const tryGiven = async (say: (sentence: string) => void, signal: AbortSignal) => {
      const fitted = await tryServers(given, streamNeeds(given), { say, signal });
      return Object.fromEntries(Object.entries(fitted).map(([name, bytes]) => [name, String(bytes)]));
    };
    const tryProducers = async (url: string) => {
      await using db = connectPostgres(url, "up", createLog("up", "silent"), { max: 1 });
      await checkProducers(db, options.producers);
    };
    const settings = { options, given, services, commands, events, messages, tryGiven, tryProducers, bottom };
    const stack = new Stack(settings);
    // Handles that an interrupted start has left open must not keep this process alive.
    process.exit(await stopOnSignal(stack, messages));
  }
}
