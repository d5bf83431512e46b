import { CommandError } from "./command-error.ts";
import { type Build, readCommandLine, TextAsked, UsageError } from "./command-line.ts";
import { type Config, ConfigError, misspeltVariables, readConfig } from "./config.ts";
import { confirm } from "./confirm.ts";
import { exitCode } from "./exit-code.ts";
import { withoutPassword } from "./log.ts";
import { type RunningUp, runningUp, usesUp } from "./running-up.ts";
import { forTerminal } from "./terminal.ts";
import { isUnavailable } from "./unavailable.ts";
import type { VariableName } from "./variables.ts";

/** What a command has to work with while it runs. */
export interface CommandRun<N extends VariableName> {
  readonly config: Config<N>;
  /** Takes what was asked for, to stdout. Text is made fit for a terminal; bytes are not. */
  readonly say: (text: string | Uint8Array) => void;
  /** Takes what is said about it, to stderr. */
  readonly remark: (text: string) => void;
  /** Asks on the terminal before what cannot be undone; the end of the input, and Ctrl-C, are a no. */
  readonly ask: (question: string) => Promise<boolean>;
  /** As `ask`, for what can be mended: where stdin is no terminal it is not asked, and a yes. */
  readonly askIfSeated: (question: string) => Promise<boolean>;
  /** Closes what is put here when the command has ended, newest first. */
  readonly open: AsyncDisposableStack;
  /** Aborted by SIGINT and SIGTERM: what was begun is ended, no more is begun. */
  readonly signal: AbortSignal;
}

/** A command that is run by a person or a script, does one thing and ends. */
export interface CommandProgram<T, N extends VariableName> {
  /** What follows `croupier` on the command line; nothing for `croupier` itself. */
  readonly name: string;
  readonly build: Build<T>;
  readonly variables: readonly N[];
  /** @throws CommandError (exit code 1), Unavailable (69), UsageError or ConfigError (78); anything else is a bug (70) */
  readonly run: (command: T, run: CommandRun<N>) => Promise<void>;
}

/** Runs a command as this process, with this process's command line and environment. */
export async function runCommand<T, N extends VariableName>(program: CommandProgram<T, N>): Promise<void> {
  // Whoever read it, `head` for one, has read enough.
  process.stdout.on("error", () => process.exit(exitCode.ok));
  const label = program.name || "croupier";
  const remark = (text: string): void => {
    process.stderr.write(forTerminal(text));
  };
  const stop = new AbortController();
  const open = new AsyncDisposableStack();
  let servers: Servers = {};
  try {
    const up = program.variables.length > 0 ? runningUp() : undefined;
    const [command, config] = readAll(program, up?.urls);
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
      config,
      say: (text) => process.stdout.write(typeof text === "string" ? forTerminal(text) : text),
      remark,
      ask: (question) => confirm(question, stop.signal),
      askIfSeated: async (question) => !process.stdin.isTTY || (await confirm(question, stop.signal)),
      open,
      signal: stop.signal,
    });
  } catch (err) {
    process.exitCode = ended(err, servers, (text) => remark(`${label}: ${text}`));
    if (err instanceof UsageError)
      remark(`"${["croupier", program.name, "--help"].filter(Boolean).join(" ")}" explains it.\n`);
  } finally {
    await open.disposeAsync();
  }
}

/** Command line and environment, so that all that is wrong with both is said at once. A text asks for no environment. */
function readAll<T, N extends VariableName>(
  { build, variables }: CommandProgram<T, N>,
  defaults: RunningUp["urls"] = {},
): [T | TextAsked, Config<N>] {
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
  const command = attempt(() => ({ asked: readCommandLine(build, process.argv.slice(2)) }));
  if (command?.asked instanceof TextAsked) return [command.asked, {} as Config<N>]; // nobody looks at it
  const config = attempt(() => readConfig(variables, defaults));
  if (command === undefined) throw new UsageError(problems);
  if (config === undefined) throw new ConfigError(problems);
  return [command.asked, config];
}

/** Says how it ended, to people who read one line. */
function ended(err: unknown, servers: Servers, complain: (text: string) => void): number {
  if (err instanceof UsageError || err instanceof ConfigError) {
    complain(listed(err.problems));
    return exitCode.config;
  }
  if (isUnavailable(err)) {
    complain(`${withServer(err.message, servers)}\n`);
    return exitCode.unavailable;
  }
  if (err instanceof CommandError) {
    complain(`${err.message}\n`);
    return exitCode.failed;
  }
  complain(`This is a bug: ${err instanceof Error ? err.stack : String(err)}\n`);
  return exitCode.software;
}

/** Where the servers are that a command works with. */
interface Servers {
  readonly NATS_URL?: string;
  readonly DATABASE_URL?: string;
}

/** What is away, or not there, is so on one server: which, tells whoever looked at another. */
function withServer(message: string, servers: Servers): string {
  const name = message.includes("Postgres") ? "DATABASE_URL" : "NATS_URL";
  const url = servers[name];
  const where = url === undefined ? undefined : withoutPassword(url);
  if (where === undefined || message.includes(where)) return message;
  return `${message.replace(/\.$/, "")} (${name} is ${where}).`;
}

/** What is wrong with a command line and the environment: one problem on the same line, several each on its own. */
export function listed(problems: readonly string[]): string {
  if (problems.length === 1) return `${problems[0]}\n`;
  return `the command line or the configuration is wrong:\n${problems.map((problem) => `  ${problem}\n`).join("")}`;
}
