import { format, parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { type Check, type Config, ConfigError, readConfig, type VariableName, variables } from "./config.ts";
import { createLog, type Log } from "./log.ts";

/** 70 and 78 are EX_SOFTWARE and EX_CONFIG of sysexits.h. */
export const exitCode = { ok: 0, failed: 1, stuck: 70, config: 78 } as const;

/** One command-line flag of a service. */
export interface Flag {
  readonly doc: string;
  /** What `--help` shows for its value, such as N. */
  readonly value?: string;
  /** Throws an Error whose message completes the sentence "--name must …". */
  readonly parse: (text: string) => unknown;
}

type Flags = Readonly<Record<string, Flag>>;
type FlagValues<F extends Flags> = { readonly [K in keyof F]?: ReturnType<F[K]["parse"]> };

/** What a service is: its name, its variables and flags, and how it starts. */
export interface Service<N extends VariableName, F extends Flags> {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly summary: string;
  readonly variables: readonly N[];
  readonly flags?: F;
  /** Default of HTTP_PORT. */
  readonly port?: number;
  /** Rules that span several variables. */
  readonly check?: Check<N | "LOG_LEVEL">;
  /**
   * Builds and runs; throws a ConfigError for what only now turns out wrong (exit 78). Resolves to "done" when the
   * service's work is finished (a command), else it goes on until a signal.
   */
  readonly start: (run: Run<N, F>) => Promise<"done" | "running">;
}

/** One run of a service. */
export interface Run<N extends VariableName, F extends Flags> {
  readonly config: Config<N | "LOG_LEVEL">;
  readonly flags: FlagValues<F>;
  readonly log: Log;
  /** Aborted when the process is asked to stop; goes to every I/O call. */
  readonly stopping: AbortSignal;
  /** Registers the closing of what was just opened; closers run in reverse order, each awaited. */
  readonly onClose: (what: string, close: () => Promise<unknown> | unknown) => void;
  /** Ends the process with exit code 0 after closing everything, as a signal does. */
  readonly stop: (why: string) => void;
  /** Ends the process with exit code 70 after closing everything: some of its work does not come to an end. */
  readonly stuck: (why: Error) => void;
}

/**
 * Runs a service as this process: parses flags and environment (all problems at once, exit 78), starts it, and on
 * SIGTERM, SIGINT or the end of a supervising parent closes what it opened, newest first (exit 0). A close that takes
 * longer than the deadline, or fails, makes it exit 1: what was in flight comes again from its stream.
 */
export async function runService<N extends VariableName, const F extends Flags = Record<never, never>>(
  service: Service<N, F>,
  { shutdownDeadlineMs = 10_000 }: { readonly shutdownDeadlineMs?: number } = {},
): Promise<void> {
  const { config, flags } = configure(service);
  // While a backlog waits nearly every message outlives a collection or two. V8 concludes that its objects are best made in
  // the old generation, where each keeps alive what it points at: in one run of seven that cost a third more CPU.
  setFlagsFromString("--no-allocation-site-pretenuring");
  const log = createLog(service.name, config.LOG_LEVEL);
  // What libraries say there is a line of the log like any other.
  console.error = console.warn = (...said: unknown[]) => log.warn(format(...said));
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
    // A start that is still under way may register more while this runs.
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
    // Ctrl-C reaches a service twice under a supervisor, once from the terminal and once passed on: only the first counts.
    if (stop.signal.aborted) return;
    log.info({ why }, "stopping");
    void end(exitCode.ok);
  };
  process.on("SIGTERM", quit);
  process.on("SIGINT", quit);
  // Under a supervisor the IPC channel tells that the parent is gone, even by kill -9: no orphans.
  process.on("disconnect", () => quit("parent gone"));
  // A bug leaves unknown state behind: die at once and loudly, unacknowledged events come again from their stream.
  process.on("uncaughtException", (err) => {
    log.fatal({ err }, "unexpected error, the process ends");
    process.exit(exitCode.failed);
  });
  // It was gone before anybody listened.
  if (process.connected === false) return quit("parent gone");

  try {
    const outcome = await service.start({
      config,
      flags,
      log,
      stopping: stop.signal,
      onClose: (what, close) => open.push({ what, close }),
      stop: quit,
      stuck: (why) => {
        log.fatal(why.message);
        void end(exitCode.stuck);
      },
    });
    if (outcome === "done") await end(exitCode.ok);
  } catch (err) {
    // A stop cuts the I/O of a start; what the start then says about it is of no interest.
    if (stop.signal.aborted) return;
    if (err instanceof ConfigError) {
      complain(service.name, err.problems);
      return await end(exitCode.config);
    }
    log.fatal({ err }, err instanceof Error ? err.message : String(err));
    await end(exitCode.failed);
  }
}

function configure<N extends VariableName, F extends Flags>(
  service: Service<N, F>,
): { config: Config<N | "LOG_LEVEL">; flags: FlagValues<F> } {
  const known: Flags = service.flags ?? {};
  const { values, problems } = readFlags(known, process.argv.slice(2));
  if (values.help !== undefined) {
    process.stdout.write(help(service));
    process.exit(exitCode.ok);
  }
  const flags: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(values)) {
    try {
      flags[name] = known[name]?.parse(given);
    } catch (err) {
      const must = err instanceof Error ? err.message : String(err);
      problems.push(`--${name} must ${must}, not "${given.slice(0, 100)}".`);
    }
  }
  if (problems.length > 0) problems.push("--help lists the flags.");
  let config: Config<N | "LOG_LEVEL"> | undefined;
  try {
    const defaults = service.port === undefined ? {} : { HTTP_PORT: String(service.port) };
    config = readConfig([...service.variables, "LOG_LEVEL"], defaults, undefined, service.check);
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    problems.push(...err.problems);
  }
  if (config === undefined || problems.length > 0) {
    complain(service.name, problems);
    process.exit(exitCode.config);
  }
  return { config, flags: flags as FlagValues<F> }; // each value comes from its own flag's parse
}

function complain(name: string, problems: readonly string[]): void {
  process.stderr.write(`${name}: the configuration is wrong:\n${problems.map((p) => `  ${p}\n`).join("")}`);
}

/** The text of each known flag that is given, the last one where it is given twice, and what else is wrong, all of it. */
function readFlags(
  known: Flags,
  args: string[],
): { values: Readonly<Record<string, string>>; problems: string[] } {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  const options = Object.keys(known).map((name) => [name, { type: "string" }] as const);
  const { tokens } = parseArgs({
    args,
    // Strict would stop at the first problem.
    strict: false,
    tokens: true,
    options: { ...Object.fromEntries(options), help: { type: "boolean", short: "h" } },
  });
  for (const token of tokens) {
    if (token.kind === "positional") problems.push(`"${token.value.slice(0, 100)}" is not expected.`);
    if (token.kind !== "option") continue;
    if (token.name === "help") values.help = "";
    else if (!Object.hasOwn(known, token.name)) problems.push(`There is no flag ${token.rawName}.`);
    // The next flag is not the value of this one.
    else if (!token.value || (!token.inlineValue && token.value.startsWith("--")))
      problems.push(`${token.rawName} needs a value.`);
    else values[token.name] = token.value;
  }
  return { values, problems };
}

function help<N extends VariableName, F extends Flags>(service: Service<N, F>): string {
  const flagLines = Object.entries(service.flags ?? {}).map(
    ([name, { value, doc }]) => `  --${name} ${value === undefined ? "" : `${value} `}`.padEnd(24) + doc,
  );
  const variableLines = [...new Set<VariableName>([...service.variables, "LOG_LEVEL"])].map((name) => {
    const { doc, default: fallback }: { doc: string; default?: string } = variables[name];
    const preset = name === "HTTP_PORT" ? service.port : fallback;
    return `  ${name} `.padEnd(24) + doc + (preset === undefined ? "" : ` (default ${preset})`);
  });
  return [
    `${service.name}: ${service.summary}`,
    "",
    "Flags:",
    "  --help                this text",
    ...flagLines,
    "",
    "Environment:",
    ...variableLines,
    "",
  ].join("\n");
}
