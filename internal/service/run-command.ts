import { CommandError } from "./command-error.ts";
import { type Build, readCommandLine, TextAsked, UsageError } from "./command-line.ts";
import {
  type Check,
  type Config,
  ConfigError,
  environmentHelp,
  misspeltVariables,
  readConfig,
} from "./config.ts";
import { confirm } from "./confirm.ts";
import { exitCode } from "./exit-code.ts";
import { createLog, withoutPassword } from "./log.ts";
import type { Opening } from "./opening.ts";
import { runningUp, usesUp } from "./running-up.ts";
import { forTerminal } from "./terminal.ts";
import { isUnavailable, Refused } from "./unavailable.ts";
import type { VariableName } from "./variables.ts";

/** What any command can use while it runs. */
export interface CommandTools {
  /** Writes results to stdout. Text is made safe for a terminal; bytes are not changed. */
  say(text: string | Uint8Array): void;
  /** Writes messages to stderr. */
  readonly remark: (text: string) => void;
  /** Asks on the terminal before doing something irreversible; the end of the input, and Ctrl-C, mean no. */
  readonly ask: (question: string) => Promise<boolean>;
  /** As `ask`, for something reversible: without a terminal it does not ask and means yes. */
  readonly askIfSeated: (question: string) => Promise<boolean>;
  /** Aborted by SIGINT and SIGTERM: finish what has begun, begin nothing more. */
  readonly signal: AbortSignal;
}

interface CommandRun<N extends VariableName> extends CommandTools, Opening<N> {}

/** A command that a person or a script runs: it does one thing and ends. */
interface CommandProgram<T, N extends VariableName> {
  /** The words after `croupier` on the command line; none for `croupier` itself. */
  readonly name: string;
  readonly build: Build<T>;
  readonly variables: readonly N[];
  /** Beside a running `up` it works on the database as its owner, and not with an operator's rights. */
  readonly asOwner?: true;
  /** @throws CommandError (exit code 1), Unavailable (69), UsageError, ConfigError or Refused (78); anything else is a bug (70) */
  readonly run: (command: T, run: CommandRun<N>) => Promise<void>;
}

/** Runs a command as this process, with this process's command line and environment. */
export async function runCommand<T, N extends VariableName>(program: CommandProgram<T, N>): Promise<void> {
  const label = program.name || "croupier";
  const remark = (text: string): void => {
    process.stderr.write(forTerminal(text));
  };
  process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    // The reader, `head` for example, has seen enough.
    if (code === "EPIPE") process.exit(exitCode.ok);
    remark(`${label}: What it has to say cannot be written: ${message}.\n`);
    process.exit(exitCode.failed);
  });
  const stop = new AbortController();
  const open = new AsyncDisposableStack();
  let servers: Servers = {};
  try {
    const up = program.variables.length > 0 ? runningUp() : undefined;
    const owner = program.asOwner && up?.ownerUrl ? { DATABASE_URL: up.ownerUrl } : {};
    const [command, config] = readAll({ ...program, defaults: { ...up?.urls, ...owner } });
    if (command instanceof TextAsked) {
      process.stdout.write(command.text);
      return;
    }
    servers = config;
    if (program.variables.length > 0) for (const hint of misspeltVariables()) remark(`${label}: ${hint}\n`);
    if (up !== undefined) remark(`${label}: ${usesUp(up)}\n`);
    for (const name of ["SIGINT", "SIGTERM"] as const)
      process.once(name, () => stop.abort(new CommandError(`Stopped by ${name}.`)));
    await program.run(command, {
      name: label,
      config,
      log: createLog(label, "warn"),
      onClose: (_what, close) => open.defer(async () => void (await close())),
      say: (text) => process.stdout.write(typeof text === "string" ? forTerminal(text) : text),
      remark,
      ask: (question) => confirm(question, stop.signal),
      askIfSeated: async (question) => !process.stdin.isTTY || (await confirm(question, stop.signal)),
      signal: stop.signal,
    });
  } catch (err) {
    process.exitCode = ended(err, servers, (text) => remark(`${label}: ${text}`));
  } finally {
    await open.disposeAsync();
  }
}

interface Asked<T, N extends VariableName> extends Pick<CommandProgram<T, N>, "build" | "variables"> {
  /** Defaults of variables of its own, which the help shows. */
  readonly presets?: Partial<Record<VariableName, string>>;
  /** Other texts for variables that are not set. */
  readonly defaults: Partial<Record<VariableName, string>>;
  readonly check?: Check<N> | undefined;
}

/**
 * Reads command line and environment together, so that the problems of both are reported at once. A text needs no
 * environment.
 * @throws UsageError or ConfigError with all problems
 */
export function readAll<T, N extends VariableName>({
  build,
  variables,
  presets = {},
  defaults,
  check,
}: Asked<T, N>): [T | TextAsked, Config<N>] {
  const problems: string[] = [];
  const attempt = <V>(read: () => V): V | undefined => {
    try {
      return read();
    } catch (err) {
      if (!(err instanceof UsageError || err instanceof ConfigError)) throw err;
      problems.push(...err.problems);
      return undefined;
    }
  };
  const command = attempt(() => ({
    asked: readCommandLine(build, process.argv.slice(2), environmentHelp(variables, presets)),
  }));
  if (command?.asked instanceof TextAsked) return [command.asked, {} as Config<N>]; // nobody looks at it
  const config = attempt(() => readConfig(variables, { ...defaults, ...presets }, undefined, check));
  if (command === undefined) throw new UsageError(problems);
  if (config === undefined) throw new ConfigError(problems);
  return [command.asked, config];
}

/** Reports how it ended, in one line. */
function ended(err: unknown, servers: Servers, complain: (text: string) => void): number {
  if (err instanceof UsageError || err instanceof ConfigError) {
    complain(listed(err.problems));
    return exitCode.config;
  }
  if (isUnavailable(err)) {
    complain(`${withServer(err.message, servers)}\n`);
    return err instanceof Refused ? exitCode.config : exitCode.unavailable;
  }
  if (err instanceof CommandError) {
    complain(`${err.message}\n`);
    return exitCode.failed;
  }
  complain(`This is a bug: ${err instanceof Error ? err.stack : String(err)}\n`);
  return exitCode.software;
}

/** Where the servers are that a process uses. */
interface Servers {
  readonly NATS_URL?: string;
  readonly DATABASE_URL?: string;
}

/** Adds the server's address to an error, for people who meant another server. */
export function withServer(message: string, servers: Servers): string {
  const isPostgres = message.includes("Postgres") || servers.NATS_URL === undefined;
  const name = isPostgres ? "DATABASE_URL" : "NATS_URL";
  const url = servers[name];
  const where = url === undefined ? undefined : withoutPassword(url);
  if (where === undefined || message.includes(where)) return message;
  return `${message.replace(/\.$/, "")} (${name} is ${where}).`;
}

/** The problems of command line and environment: a single one on the same line, several on a line each. */
export function listed(problems: readonly string[]): string {
  if (problems.length === 1) return `${problems[0]}\n`;
  return `the command line or the configuration is wrong:\n${problems.map((problem) => `  ${problem}\n`).join("")}`;
}
