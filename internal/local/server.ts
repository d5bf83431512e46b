import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binary } from "./binaries.ts";
import type { SystemUser } from "./system-user.ts";

/** A server that this process has started, ready when handed out. Disposing of it is `stop()`. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Settles when the process ends, by whatever hand, with how: "exit code 1", "signal SIGKILL". Never rejects. */
  readonly exited: Promise<string>;
  /** Ends it gracefully, by SIGKILL when it takes longer than 10 s. Harmless when it has ended already. */
  stop(): Promise<void>;
  /** Ends it as a crash would. Harmless when it has ended already. */
  kill(): Promise<void>;
}

export interface Launch {
  readonly name: string;
  readonly binary: Binary;
  readonly args: readonly string[];
  readonly url: string;
  readonly port: number;
  /** Receives what the server says. A file and not a pipe, so that the server survives the death of its starter. */
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  /** Resolves when the server answers its clients; rejects while it does not yet. Called until it resolves. */
  readonly ready: () => Promise<void>;
  readonly user?: SystemUser | undefined;
}

const readyWithin = 30_000;
const stopWithin = 10_000;

/** The server ended before it was ready; `output` is the end of what it said. */
export class ServerFailed extends Error {
  override readonly name = "ServerFailed";
  readonly output: string;

  constructor(message: string, output: string) {
    super(output === "" ? message : `${message}: ${output}`);
    this.output = output;
  }
}

/**
 * Starts a server in a process group of its own (Ctrl-C in a terminal must not reach a database before its clients have
 * finished) and waits until it is ready. Throws `ServerFailed` when it ends first or is not ready within 30 s; then
 * nothing of it is left running.
 */
export async function launch(options: Launch): Promise<RunningServer> {
  const log = openSync(options.logFile, "a");
  const logStart = fstatSync(log).size;
  let child: ChildProcess;
  try {
    child = spawn(options.binary.path, options.args, {
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...process.env, ...options.binary.env },
      // A folder that every user may stand in: the server may run as a user who cannot enter ours.
      cwd: "/",
      ...options.user,
    });
  } finally {
    closeSync(log);
  }

  const exited = endOf(child);
  const { pid } = child;
  if (pid === undefined) throw new ServerFailed(`${options.name} did not start (${await exited})`, "");

  const server = controls(child, pid, exited, options);
  let end: string | undefined;
  void exited.then((how) => {
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
    if (problem === undefined) return server;
    if (Date.now() > deadline) {
      await server.kill();
      throw new ServerFailed(
        `${options.name} was not ready within ${readyWithin / 1000} s (${String(problem)})`,
        tail(options.logFile, logStart),
      );
    }
    await Promise.race([sleep(pause), exited]);
  }
}

/** Whether a start failed only because another process had taken the port. */
export function portWasTaken(error: unknown): boolean {
  return error instanceof ServerFailed && /address already in use|Address in use|bind:/i.test(error.output);
}

function controls(child: ChildProcess, pid: number, exited: Promise<string>, options: Launch): RunningServer {
  const end = async (signal: NodeJS.Signals, within: number): Promise<void> => {
    child.kill(signal);
    const patience = new AbortController();
    const late = sleep(within, "late" as const, { signal: patience.signal }).catch(() => "done" as const);
    const first = await Promise.race([exited, late]);
    patience.abort();
    if (first === "late") {
      child.kill("SIGKILL");
      await exited;
    }
  };
  const stop = () => end(options.stopSignal, stopWithin);
  return {
    url: options.url,
    port: options.port,
    pid,
    exited,
    stop,
    kill: () => end("SIGKILL", stopWithin),
    [Symbol.asyncDispose]: stop,
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}

function tail(file: string, from: number): string {
  const said = readFileSync(file).subarray(from).toString().trim();
  return said.split("\n").slice(-12).join("\n");
}
