import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "nats";
import { findNatsServer } from "../internal/local/binaries.ts";
import { type Child, follow } from "../internal/local/child.ts";
import { freePort } from "../internal/local/free-port.ts";
import { startNats } from "../internal/local/nats-server.ts";
import { natsConfig, natsRoles, natsUsers } from "../internal/local/nats-users.ts";
import { startPostgres } from "../internal/local/postgres-server.ts";
import { Processes } from "./processes.ts";
import { until } from "./until.ts";

const root = join(import.meta.dirname, "..");

/** The benchmark's own servers, and functions that run programs against them. Disposal ends all of it. */
export interface Bench extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly nc: NatsConnection;
  /** The running servers and services by name, to measure their cost. */
  readonly processes: Processes;
  /** Aborted when the run has to end. */
  readonly signal: AbortSignal;
  /** Starts a service; resolves when it is ready. */
  readonly start: (service: string, env?: Record<string, string>) => Promise<Running>;
  /** Runs a command to its end and returns its stdout. `env` overrides what it gets by default. */
  readonly run: (command: string, args: readonly string[], env?: Record<string, string>) => Promise<string>;
  /** Starts a program of the bench, such as "load/steady.ts". */
  readonly program: (file: string, env: Record<string, string>) => Program;
}

export interface Running {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
  /** Ends it by SIGKILL. */
  readonly kill: () => Promise<void>;
}

export interface Program {
  readonly pid: number;
  readonly stop: () => Promise<void>;
  /** Its stdout, once it has ended; rejects if it failed. */
  readonly output: Promise<string>;
}

/** Registers a process that must not survive the run. */
type Track = (child: Pick<Child, "kill" | "pid">) => void;

export interface BenchOptions {
  readonly signal: AbortSignal;
  /** Receives each process, so that all of them can be killed at once. */
  readonly track: Track;
  /** Default: the project's nats.conf. */
  readonly config?: string;
}

/**
 * Starts NATS with file storage and the project's nats.conf, a durable Postgres and the sample rates API, on free ports.
 * If it throws, also because the signal aborts, nothing is left running.
 */
export async function openBench(options: BenchOptions): Promise<Bench> {
  const opened = new AsyncDisposableStack();
  try {
    return await openInto(opened, options);
  } catch (err) {
    await opened.disposeAsync();
    throw err;
  }
}

async function openInto(
  opened: AsyncDisposableStack,
  { signal, track, config = natsConfig }: BenchOptions,
): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "croupier-bench-"));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  const users = natsUsers("operator");
  const binary = await findNatsServer({ preferNewer: true });
  const nats = await startNats({
    dir: join(dir, "nats"),
    binary,
    config,
    variables: users.variables,
    signal,
  });
  track(nats);
  opened.use(nats);
  const postgres = await startPostgres({
    dir: join(dir, "postgres"),
    ours: dir,
    durability: "durable",
    signal,
  });
  track(postgres);
  opened.defer(() => rm(postgres.place, { recursive: true, force: true }));
  opened.use(postgres);
  const nc = await connect({ servers: nats.url, maxReconnectAttempts: -1 });
  opened.defer(() => nc.close());
  const ratesPort = await freePort();
  const env: Record<string, string> = {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    RATES_URL: `http://127.0.0.1:${ratesPort}/latest`,
    LOG_LEVEL: "warn",
  };
  /** A service connects as its user of nats.conf; the bench's own programs connect anonymously, which is `operator` here. */
  const identity = (service: string): Record<string, string> => {
    const role = natsRoles.find((role) => role === service);
    return role === undefined ? {} : { NATS_URL: users.url(role, nats.url) };
  };
  const processes = new Processes();
  processes.add("nats-server", nats.pid);
  processes.add("postgres", postgres.pid);

  const launch = (file: string, args: readonly string[], own: Record<string, string>, isService: boolean) => {
    signal.throwIfAborted();
    const spawned = spawn(process.execPath, [join(root, file), ...args], {
      // A service's warnings are shown, its stdout (the logger's lines) is dropped; a command's output is read.
      stdio: isService ? ["ignore", "ignore", "inherit"] : ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ...env, ...own },
    });
    const said = listen(spawned);
    const child = follow(spawned, "SIGTERM");
    track(child);
    opened.defer(() => child.stop());
    return { ...child, ...said };
  };
  const program = (file: string, args: readonly string[], own: Record<string, string>): Program => {
    const child = launch(file, args, own, false);
    const output = child.exited.then((how) => {
      if (how === "exit code 0") return child.output();
      throw new Error(`${file} ended with ${how}: ${child.errors().trim().split("\n").slice(-5).join("\n")}`);
    });
    // The caller awaits it, except when the run was aborted.
    output.catch(() => undefined);
    return { pid: child.pid, stop: () => child.stop(), output };
  };
  const run: Bench["run"] = (command, args, own = {}) =>
    program(`cmd/${command}/main.ts`, args, { ...identity(command), ...own }).output;
  const start = async (service: string, own: Record<string, string> = {}): Promise<Running> => {
    const port = own.HTTP_PORT ?? String(await freePort());
    const child = launch(
      `cmd/${service}/main.ts`,
      [],
      { ...identity(service), ...own, HTTP_PORT: port },
      true,
    );
    const url = `http://127.0.0.1:${port}`;
    let end: string | undefined;
    void child.exited.then((how) => {
      end = how;
      processes.delete(child.pid);
    });
    const ready = async () => {
      if (end !== undefined) throw new Error(`${service} ended at its start (${end})`);
      return fetch(`${url}/readyz`).then(
        (answer) => answer.status === 200,
        () => false,
      );
    };
    await until(ready, `${service} to be ready`, { signal });
    processes.add(service, child.pid);
    return { url, pid: child.pid, stop: () => child.stop(), kill: () => child.kill() };
  };

  await run("migrate", []);
  await run("samples", []);
  await start("rates", { HTTP_PORT: String(ratesPort) });
  // A second call waits for the same end.
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= opened.disposeAsync();
    return closing;
  };
  return {
    env,
    nc,
    processes,
    signal,
    start,
    run,
    program: (file, own) => program(`bench/${file}`, [], own),
    [Symbol.asyncDispose]: close,
  };
}

function listen({ stdout, stderr }: ChildProcess): { output: () => string; errors: () => string } {
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  stdout?.on("data", (chunk: Buffer) => output.push(chunk));
  stderr?.on("data", (chunk: Buffer) => errors.push(chunk));
  return { output: () => Buffer.concat(output).toString(), errors: () => Buffer.concat(errors).toString() };
}
