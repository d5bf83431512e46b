import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binary } from "./binaries.ts";
import { type Child, follow } from "./child.ts";
import { freePort, isFree } from "./free-port.ts";
import type { SystemUser } from "./system-user.ts";

/** A running server that this process has started. Disposing of it calls `stop()`. */
export interface RunningServer extends Child, AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** Start options of every kind of server. */
export interface ServerOptions {
  /** The folder of its data and log; created if missing, reused otherwise. */
  readonly dir: string;
  /** Default: any free port, chosen again if it is taken meanwhile. A given port that is taken is an error. */
  readonly port?: number | undefined;
  /** Called with the process id as soon as there is one, long before the server is ready. */
  readonly spawned?: ((pid: number) => void) | undefined;
  /** If it aborts before the server is ready, the server is stopped and the start throws. */
  readonly signal?: AbortSignal | undefined;
}

interface Launch {
  readonly name: string;
  readonly binary: Binary;
  readonly args: readonly string[];
  readonly url: string;
  /** Receives the server's output. It is a file, because a pipe would end the server with its starter. */
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  /** Resolves if the server answers its clients, and rejects if not. Called until it resolves. */
  readonly ready: () => Promise<void>;
  readonly user?: SystemUser | undefined;
}

const readyWithin = 30_000;

/** How often another free port is tried. */
const mostPorts = 5;

/** Another process listens on the server's port. */
class PortTaken extends Error {
  override readonly name = "PortTaken";
}

/** The server ended before it was ready; `output` is the end of its output. */
export class ServerFailed extends Error {
  override readonly name = "ServerFailed";
  readonly output: string;

  constructor(message: string, output: string) {
    super(output === "" ? message : `${message}: ${output}`);
    this.output = output;
  }
}

/**
 * Starts a server and waits until it is ready; on any free port unless one is given. It gets its own process group, because Ctrl-C in a terminal must not
 * reach a database before its clients have finished. Throws `PortTaken`, `ServerFailed` if it ends first or is not
 * ready within 30 s, and the reason of `signal`; then nothing of it is left running.
 */
export async function launch(options: ServerOptions, on: (port: number) => Launch): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    try {
      return await launchOn(port, on(port), options);
    } catch (error) {
      if (options.port !== undefined || attempt === mostPorts || !portWasTaken(error)) throw error;
    }
  }
}

async function launchOn(
  port: number,
  options: Launch,
  { spawned: onSpawned, signal }: ServerOptions,
): Promise<RunningServer> {
  signal?.throwIfAborted();
  // Otherwise another process on the port would answer the readiness check.
  if (!(await isFree(port))) throw new PortTaken(`port ${port} for ${options.name} is taken`);
  const log = openSync(options.logFile, "a");
  const logStart = fstatSync(log).size;
  let spawned: ChildProcess;
  try {
    spawned = spawn(options.binary.path, options.args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...options.binary.env },
      // The server may run as a user who cannot enter our working folder.
      cwd: "/",
      ...options.user,
    });
  } finally {
    closeSync(log);
  }
  const child = follow(spawned, options.stopSignal);
  if (child.pid === 0) throw new ServerFailed(`${options.name} did not start (${await child.exited})`, "");
  onSpawned?.(child.pid);

  const server: RunningServer = {
    ...child,
    url: options.url,
    port,
    [Symbol.asyncDispose]: () => child.stop(),
  };
  let end: string | undefined;
  void child.exited.then((how) => {
    end = how;
  });
  const deadline = Date.now() + readyWithin;
  for (let pause = 10; ; pause = Math.min(pause * 1.5, 200)) {
    const problem = await options.ready().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (end !== undefined) {
      throw new ServerFailed(`${options.name} ended at its start (${end})`, tail(options.logFile, logStart));
    }
    if (signal?.aborted) {
      await child.stop();
      signal.throwIfAborted();
    }
    if (problem === undefined) return server;
    if (Date.now() > deadline) {
      await child.kill();
      const message = `${options.name} was not ready within ${readyWithin / 1000} s (${String(problem)})`;
      throw new ServerFailed(message, tail(options.logFile, logStart));
    }
    await Promise.race([sleep(pause), child.exited]);
  }
}

/** Whether a start failed only because another process has the port. */
function portWasTaken(error: unknown): boolean {
  return (
    error instanceof PortTaken ||
    (error instanceof ServerFailed && /address (already )?in use/i.test(error.output))
  );
}

function tail(file: string, from: number): string {
  const said = readFileSync(file).subarray(from).toString().trim();
  return said.split("\n").slice(-12).join("\n");
}
