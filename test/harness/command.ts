import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { onTestFinished } from "vitest";
import { type VariableName, variables } from "../../internal/service/variables.ts";
import { forget, watch } from "./guard.ts";
import { waitFor } from "./wait-for.ts";

const root = resolve(import.meta.dirname, "../..");

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command of the project as a process of its own. */
export interface Command {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Settles when it has ended and everything that it said is here. */
  readonly ended: Promise<End>;
  /** The log line with this message, once it is there, as an object. */
  logged(message: string | RegExp): Promise<Record<string, unknown>>;
}

/**
 * Starts a TypeScript file as the scripts of package.json do; kills it when the test finishes.
 * @param env the only variables of ours that it has: none comes from the environment of the tests
 * @param stdout "held": nobody reads it until the test does; a number: it goes to this open file
 */
export function startCommand(
  file: string,
  {
    args = [],
    env = {},
    other = {},
    cwd = root,
    ipc = false,
    stdout = "read",
  }: {
    readonly args?: readonly string[];
    readonly env?: Partial<Record<VariableName, string>>;
    /** Variables that are not ours. */
    readonly other?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    readonly ipc?: boolean;
    readonly stdout?: "read" | "held" | number;
  } = {},
): Command {
  const inherited = { ...process.env };
  for (const name of Object.keys(variables)) delete inherited[name];
  const child = spawn(process.execPath, [resolve(root, file), ...args], {
    cwd,
    env: { ...inherited, ...env, ...other },
    stdio: [
      "ignore",
      typeof stdout === "number" ? stdout : "pipe",
      "pipe",
      ...(ipc ? (["ipc"] as const) : []),
    ],
  });
  const { pid } = child;
  if (pid !== undefined) watch(pid);
  // Not the event "close": where there was an IPC channel it does not come.
  const heard = [...(stdout === "read" ? [child.stdout] : []), child.stderr];
  const ended = Promise.all([
    once(child, "exit"),
    ...heard.map((stream) => stream && once(stream, "close")),
  ]).then(([[code, signal]]): End => {
    if (pid !== undefined) forget(pid);
    return { code, signal };
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const said = { out: "", err: "" };
  if (stdout === "read") child.stdout?.setEncoding("utf8").on("data", (text) => (said.out += text));
  child.stderr?.setEncoding("utf8").on("data", (text) => (said.err += text));

  return {
    child,
    ended,
    get stdout() {
      return said.out;
    },
    get stderr() {
      return said.err;
    },
    logged: (message) =>
      waitFor(
        () =>
          logLines(said.err).find(({ msg }) =>
            typeof message === "string" ? msg === message : message.test(String(msg)),
          ),
        { what: `the log line ${message} in\n${said.err}` },
      ),
  };
}

/** The JSON lines among these lines. */
export function logLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line));
}
