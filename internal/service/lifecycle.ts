import { format } from "node:util";
import { setFlagsFromString } from "node:v8";
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { type Build, type Reading, TextAsked, UsageError } from "./command-line.ts";
import { type Check, type Config, ConfigError, misspeltVariables } from "./config.ts";
import { exitCode } from "./exit-code.ts";
import { createLog, reasonOf } from "./log.ts";
import type { Opening } from "./opening.ts";
import { listed, readAll, withServer } from "./run-command.ts";
import { missesUp, runningUp, usesUp } from "./running-up.ts";
import { isUnavailable, Refused } from "./unavailable.ts";
import type { VariableName } from "./variables.ts";

/** What the query builder prints when a query that we gave up ends, after its end was reported as a timeout. */
const aftermath = /failed in the background after abortion/;

/** Adds a service's flags to its command. */
type AddFlags<F extends OptionValues> = (program: Command, reading: Reading<unknown>) => Command<[], F>;

/** What a service is: its name, its variables and flags, and how it starts. */
interface Service<N extends VariableName, F extends OptionValues> {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  readonly variables: readonly N[];
  readonly flags?: AddFlags<F>;
  /** Default of HTTP_PORT. */
  readonly port?: number;
  /** Without any URL set it uses the `up` that runs in this folder, as commands do, and says so. */
  readonly usesRunningUp?: true;
  /** Rules over several variables. */
  readonly check?: Check<N | "LOG_LEVEL">;
  /**
   * Builds and runs. May throw a ConfigError for a problem that only shows now (exit 78). Resolves to "done" when its
   * work is finished, as a command's is; otherwise the service runs until a signal.
   */
  readonly start: (run: Run<N, F>) => Promise<"done" | "running">;
}

/** One run of a service. */
export interface Run<N extends VariableName, F extends OptionValues> extends Opening<N | "LOG_LEVEL"> {
  readonly flags: F;
  /** Whether its servers are those of the `up` that runs in this folder. */
  readonly besideUp: boolean;
  /** Ends the process with exit code 0 after closing everything, as a signal does. */
  readonly stop: (why: string) => void;
  /** Ends the process with exit code 1 after closing everything: it cannot do its work. */
  readonly fail: (why: Error) => void;
  /** Ends the process with exit code 70 after closing everything: some of its work never returns. */
  readonly stuck: (why: Error) => void;
}

/**
 * Runs a service as this process. Parses flags and environment (all problems at once, exit 78) and starts the service.
 * On SIGTERM, SIGINT or the end of a supervising parent it closes everything opened, newest first (exit 0). If closing
 * fails or exceeds the deadline, it exits with 1: what was in flight comes again from its stream. A failed start exits
 * with 78 when a server refuses us, with 69 when one is away, with 1 when it explains what cannot be done, and
 * otherwise, like every bug, with 70.
 */
export async function runService<N extends VariableName, F extends OptionValues = Record<never, never>>(
  service: Service<N, F>,
  { shutdownDeadlineMs = 10_000 }: { readonly shutdownDeadlineMs?: number } = {},
): Promise<void> {
  const up = service.usesRunningUp ? runningUp() : undefined;
  const [config, flags] = configure(service, up?.urls);
  // Under a backlog nearly every message survives a collection or two. V8 then allocates its objects in the old
  // generation, where each keeps alive what it refers to: in one run of seven that cost a third more CPU.
  setFlagsFromString("--no-allocation-site-pretenuring");
  const log = createLog(service.name, config.LOG_LEVEL);
  // Under a supervisor, the supervisor says it once for all services.
  if (process.send === undefined) {
    for (const hint of misspeltVariables()) log.warn(hint);
    // Those of the two that the service has.
    const misses = missesUp(config as Partial<Config<"NATS_URL" | "DATABASE_URL">>);
    if (up === undefined && misses !== undefined) log.warn(misses);
  }
  // Whatever libraries print becomes a line of the log, not of stdout, which is for events.
  const print = (...said: unknown[]): void => {
    const text = format(...said);
    log[aftermath.test(text) ? "debug" : "warn"](text);
  };
  Object.assign(console, { log: print, warn: print, error: print });
  if (up !== undefined) log.info(usesUp(up));
  const stop = new AbortController();
  const open: { what: string; close: () => Promise<unknown> | unknown }[] = [];

  const end = async (exit: number): Promise<void> => {
    if (stop.signal.aborted) return;
    stop.abort(new Error(`${service.name} is stopping`));
    let code = exit;
    let closing: string | undefined;
    setTimeout(() => {
      log.error(
        { closing, unfinished: open.map(({ what }) => what).reverse() },
        `gave up closing after ${shutdownDeadlineMs / 1000} s; what was in flight comes again from its stream`,
      );
      process.exit(code || exitCode.failed);
    }, shutdownDeadlineMs);
    // A start that is still in progress may register more closers meanwhile.
    for (let closer = open.pop(); closer !== undefined; closer = open.pop()) {
      closing = closer.what;
      try {
        await closer.close();
      } catch (err) {
        log.error({ err, what: closing }, "closing failed");
        code ||= exitCode.failed;
      }
    }
    if (code === exitCode.ok) log.info("stopped");
    process.exit(code);
  };

  const quit = (why: string): void => {
    // Under a supervisor Ctrl-C arrives twice, from the terminal and from the supervisor: only the first counts.
    if (stop.signal.aborted) return;
    log.info({ why }, "stopping");
    void end(exitCode.ok);
  };
  process.on("SIGTERM", quit);
  process.on("SIGINT", quit);
  // The supervisor's IPC channel closes when the parent is gone, even by kill -9: no orphans.
  process.on("disconnect", () => quit("parent gone"));
  // A bug leaves unknown state: die at once and loudly. Unacknowledged events come again from their stream.
  process.on("uncaughtException", (err) => {
    log.fatal({ err }, "unexpected error, the process ends");
    process.exit(exitCode.software);
  });
  // The parent was gone before we listened.
  if (process.connected === false) return quit("parent gone");

  try {
    const outcome = await service.start({
      ...{ name: service.name, config, flags, log },
      besideUp: up !== undefined,
      signal: stop.signal,
      onClose: (what, close) => open.push({ what, close }),
      stop: quit,
      fail: (why) => {
        log.fatal({ err: why }, why.message);
        void end(exitCode.failed);
      },
      stuck: (why) => {
        log.fatal(why.message);
        void end(exitCode.software);
      },
    });
    if (outcome === "done") await end(exitCode.ok);
  } catch (err) {
    // A stop cuts the I/O of a start; the errors that follow do not matter.
    if (stop.signal.aborted) return;
    if (err instanceof ConfigError) {
      complain(service.name, err.problems);
      return await end(exitCode.config);
    }
    if (isUnavailable(err)) {
      // Those of the two that the service has.
      log.fatal(withServer(err.message, config as Partial<Config<"NATS_URL" | "DATABASE_URL">>));
      return await end(err instanceof Refused ? exitCode.config : exitCode.unavailable);
    }
    log.fatal({ err }, reasonOf(err));
    await end(isBug(err) ? exitCode.software : exitCode.failed);
  }
}

function configure<N extends VariableName, F extends OptionValues>(
  service: Service<N, F>,
  urls: Partial<Record<VariableName, string>> = {},
): [Config<N | "LOG_LEVEL">, F] {
  const { name, variables, port, check } = service;
  try {
    const [flags, config] = readAll<F, N | "LOG_LEVEL">({
      build: serviceCommand(service),
      variables: [...variables, "LOG_LEVEL"],
      presets: port === undefined ? {} : { HTTP_PORT: String(port) },
      defaults: urls,
      check,
    });
    if (!(flags instanceof TextAsked)) return [config, flags];
    process.stdout.write(flags.text);
    process.exit(exitCode.ok);
  } catch (err) {
    if (!(err instanceof UsageError || err instanceof ConfigError)) throw err;
    complain(name, err.problems);
    process.exit(exitCode.config);
  }
}

/** A service as a command: it has only flags. */
export function serviceCommand<F extends OptionValues>({
  name,
  summary,
  flags,
}: Pick<Service<never, F>, "name" | "summary" | "flags">): Build<F> {
  return (reading) => {
    const plain = reading.program(name, `${summary[0]?.toUpperCase()}${summary.slice(1)}`);
    const program = flags?.(plain, reading) ?? plain;
    return program.action(() => reading.ask(program.opts() as F)); // without `flags` F has no keys
  };
}

/** A bug is an error of the language, or no Error at all; any other error of a start explains itself. */
function isBug(err: unknown): boolean {
  return (
    !(err instanceof Error) ||
    [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => err instanceof kind)
  );
}

function complain(name: string, problems: readonly string[]): void {
  process.stderr.write(`${name}: ${listed(problems)}`);
}
