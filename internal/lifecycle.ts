import { parseArgs } from "node:util";
import { type Config, ConfigError, readConfig, type VariableName, variables } from "./config.ts";
import { createLog, type Log } from "./log.ts";

/** How long in-flight work may take after a signal before the process gives up and ends all the same. */
const shutdownDeadlineMs = 10_000;

const exitCode = { ok: 0, failed: 1, config: 78 } as const;

/** One command-line flag of a service. */
export interface Flag {
  readonly doc: string;
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
  /** Rules that span several variables; returns what is wrong, one sentence each. */
  readonly check?: (config: Config<N | "LOG_LEVEL">) => readonly string[];
  /** Builds and runs. Resolves to "done" when the service's work is finished (a command), else it goes on until a signal. */
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
}

/**
 * Runs a service as this process: parses flags and environment (all problems at once, exit 78), starts it, and on
 * SIGTERM, SIGINT or the end of a supervising parent closes what it opened, newest first, within 10 s (exit 0).
 */
export async function runService<N extends VariableName, const F extends Flags = Record<never, never>>(
  service: Service<N, F>,
): Promise<void> {
  const { config, flags } = configure(service);
  const log = createLog(service.name, config.LOG_LEVEL);
  const stop = new AbortController();
  const closers: { what: string; close: () => Promise<unknown> | unknown }[] = [];
  let ending: Promise<void> | undefined;

  const end = (code: number): Promise<void> => {
    ending ??= (async () => {
      stop.abort(new Error(`${service.name} is stopping`));
      const deadline = setTimeout(() => {
        log.error(
          { unfinished: closers.map((closer) => closer.what) },
          "gave up closing after 10 s; what was in flight comes again from its stream",
        );
        process.exit(exitCode.failed);
      }, shutdownDeadlineMs);
      for (let closer = closers.at(-1); closer !== undefined; closers.pop(), closer = closers.at(-1)) {
        try {
          await closer.close();
        } catch (err) {
          log.error({ err, what: closer.what }, "closing failed");
          code ||= exitCode.failed;
        }
      }
      clearTimeout(deadline);
      if (code === exitCode.ok) log.info("stopped");
      process.exit(code);
    })();
    return ending;
  };

  const quit = (why: string): void => {
    log.info({ why }, "stopping");
    void end(exitCode.ok);
  };
  process.on("SIGTERM", quit);
  process.on("SIGINT", quit);
  // Under a supervisor the IPC channel tells that the parent is gone, even by kill -9: no orphans.
  if (process.channel) {
    process.on("disconnect", () => quit("parent gone"));
    process.channel.unref();
  }
  // A bug leaves unknown state behind: die at once and loudly, unacknowledged events come again from their stream.
  process.on("uncaughtException", (err) => {
    log.fatal({ err }, "unexpected error, the process ends");
    process.exit(exitCode.failed);
  });

  try {
    const outcome = await service.start({
      config,
      flags,
      log,
      stopping: stop.signal,
      onClose: (what, close) => closers.push({ what, close }),
      stop: quit,
    });
    if (outcome === "done") await end(exitCode.ok);
  } catch (err) {
    if (stop.signal.aborted) return;
    log.fatal({ err }, err instanceof Error ? err.message : String(err));
    await end(exitCode.failed);
  }
}

function configure<N extends VariableName, F extends Flags>(
  service: Service<N, F>,
): { config: Config<N | "LOG_LEVEL">; flags: FlagValues<F> } {
  const problems: string[] = [];
  const names: (N | "LOG_LEVEL")[] = [...service.variables, "LOG_LEVEL"];
  const flags: Record<string, unknown> = {};
  let config: Config<N | "LOG_LEVEL"> | undefined;
  try {
    const known = service.flags ?? ({} as F); // no flags declared: F is the empty record
    const { values } = parseArgs({
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: "boolean" },
        ...Object.fromEntries(Object.keys(known).map((name) => [name, { type: "string" as const }])),
      },
    });
    if (values.help) {
      process.stdout.write(help(service));
      process.exit(exitCode.ok);
    }
    for (const [name, flag] of Object.entries(known)) {
      const given = (values as Record<string, unknown>)[name]; // parseArgs types only statically known names
      if (typeof given !== "string") continue;
      try {
        flags[name] = flag.parse(given);
      } catch (err) {
        problems.push(
          `--${name} must ${err instanceof Error ? err.message : String(err)}, not "${given.slice(0, 100)}".`,
        );
      }
    }
  } catch (err) {
    problems.push(`${err instanceof Error ? err.message : String(err)} Try --help.`);
  }
  try {
    config = readConfig(names, service.port === undefined ? {} : { HTTP_PORT: String(service.port) });
    problems.push(...(service.check?.(config) ?? []));
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    problems.push(...err.problems);
  }
  if (config === undefined || problems.length > 0) {
    process.stderr.write(
      `${service.name}: the configuration is wrong:\n${problems.map((p) => `  ${p}\n`).join("")}`,
    );
    process.exit(exitCode.config);
  }
  return { config, flags: flags as FlagValues<F> }; // each value comes from its own flag's parse
}

function help<N extends VariableName, F extends Flags>(service: Service<N, F>): string {
  const flagLines = Object.entries(service.flags ?? {}).map(
    ([name, flag]) => `  --${name} `.padEnd(24) + flag.doc,
  );
  const variableLines = [...service.variables, "LOG_LEVEL" as const].map((name) => {
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
