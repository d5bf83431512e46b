import { type SpawnOptions, spawn } from "node:child_process";
import { resolve } from "node:path";
import { type Child, follow } from "./child.ts";
import { type LineSink, relayLines } from "./outlet.ts";

interface ServiceStart {
  /** The file that Node runs. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: LineSink;
  readonly stderr: LineSink;
}

const earlyStop = new URL("../service/early-stop.js", import.meta.url).href;

export interface ServiceProcess extends Child {
  /** Settles when all its output was passed on. */
  readonly relayed: Promise<void>;
}

/**
 * Starts a service as a separate process, and does not wait until it is ready. The IPC channel tells it when this
 * process is gone, even by kill -9. Its own process group lets us choose the order of stopping after a Ctrl-C.
 */
export function startService(start: ServiceStart): ServiceProcess {
  const options: SpawnOptions = {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: childEnvironment(start.env),
  };
  const child = spawn(process.execPath, ["--import", earlyStop, start.script, ...start.args], options);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error(`${start.script} was started without pipes`);
  const relayed = Promise.all([relayLines(stdout, start.stdout), relayLines(stderr, start.stderr)]);
  return {
    ...follow(child, "SIGTERM"),
    // A pipe that breaks with its process has delivered everything.
    relayed: relayed.then(
      () => undefined,
      () => undefined,
    ),
  };
}

/** Where Node keeps what it has compiled: a third less CPU for each start of a service, two or three seconds of `up`'s. */
const compileCache = resolve(import.meta.dirname, "../../node_modules/.cache/compile");

/** The environment of a script of ours: this process's own, and what is given. */
export function childEnvironment(given: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: compileCache, ...process.env, ...given };
}

/** Runs a script to its end and copies its lines to `messages`. @returns its exit code; null if a signal ended it */
export async function runScript(
  [script, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  messages: LineSink,
  signal: AbortSignal,
): Promise<number | null> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: childEnvironment(env),
    signal,
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [result] = await Promise.all([
    code,
    relayLines(child.stdout, messages),
    relayLines(child.stderr, messages),
  ]);
  return result;
}
