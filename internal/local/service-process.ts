import { type SpawnOptions, spawn } from "node:child_process";
import { type Child, follow } from "./child.ts";
import { childEnvironment } from "./child-environment.ts";
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
