import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "nats";
import { follow } from "../internal/local/child.ts";
import { freePort } from "../internal/local/free-port.ts";
import { startNats } from "../internal/local/nats-server.ts";
import { natsConfig, natsUsers } from "../internal/local/nats-users.ts";
import { startPostgres } from "../internal/local/postgres-server.ts";

const root = join(import.meta.dirname, "..");

/** Servers of the benchmark's own and the means to run services against them; all of it ends with `close`. */
export interface Bench {
  readonly env: Readonly<Record<string, string>>;
  readonly nc: NatsConnection;
  /** Starts a service; resolves when it is ready. */
  readonly start: (service: string, env?: Record<string, string>) => Promise<Running>;
  /** Runs a command to its end; what it wrote to stdout. */
  readonly run: (service: string, ...args: readonly string[]) => Promise<string>;
  readonly close: () => Promise<void>;
}

export interface Running {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/**
 * NATS with file storage and the project's nats.conf, a durable Postgres, the sample rates API; on free ports.
 * @param config another nats.conf
 */
export async function openBench(config = natsConfig): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "croupier-bench-"));
  const { variables } = natsUsers("operator");
  const nats = await startNats({ dir: join(dir, "nats"), config, variables });
  const postgres = await startPostgres({ dir: join(dir, "postgres"), durability: "durable" });
  const nc = await connect({ servers: nats.url });
  const ratesPort = await freePort();
  const env: Record<string, string> = {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    RATES_URL: `http://127.0.0.1:${ratesPort}/latest`,
    LOG_LEVEL: "warn",
  };
  const children: { stop: () => Promise<void> }[] = [];

  const launch = (service: string, args: readonly string[], own: Record<string, string>) => {
    const child = spawn(process.execPath, [join(root, "cmd", service, "main.ts"), ...args], {
      // Services warn on stderr; what a command says there beside its answer would only break up the tables.
      stdio: ["ignore", "pipe", args.length > 0 ? "ignore" : "inherit"],
      env: { PATH: process.env.PATH, ...env, ...own },
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    return { ...follow(child, "SIGTERM"), output: () => Buffer.concat(output).toString() };
  };
  const start = async (service: string, own: Record<string, string> = {}): Promise<Running> => {
    const port = own.HTTP_PORT ?? String(await freePort());
    const child = launch(service, [], { ...own, HTTP_PORT: port });
    const running = {
      url: `http://127.0.0.1:${port}`,
      pid: child.pid,
      stop: () => child.stop(),
    };
    children.push(running);
    const ready = () =>
      fetch(`${running.url}/readyz`).then(
        (answer) => answer.status === 200,
        () => false,
      );
    await until(ready, `${service} to be ready`);
    return running;
  };
  const run = async (service: string, ...args: readonly string[]): Promise<string> => {
    const child = launch(service, args, {});
    const how = await child.exited;
    if (how !== "exit code 0") throw new Error(`${service} ended: ${how}`);
    return child.output();
  };

  await run("migrate");
  await start("rates", { HTTP_PORT: String(ratesPort) });
  return {
    env,
    nc,
    start,
    run,
    close: async () => {
      for (const child of children.reverse()) await child.stop();
      await nc.close();
      await Promise.all([nats.stop(), postgres.stop()]);
      await rm(dir, { recursive: true, force: true });
      await rm(postgres.place, { recursive: true, force: true });
    },
  };
}

/** Deletes every stream, so that each measurement starts from nothing. */
export async function clear(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc);
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name);
}

/** A work queue like that of raw events, fresh. */
export async function freshQueue(nc: NatsConnection, name: string): Promise<string> {
  await clear(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({
    name,
    subjects: [`${name}.*`],
    retention: RetentionPolicy.Workqueue,
    duplicate_window: 120_000_000_000,
  });
  return `${name}.casino`;
}

/** Polls until it is so; throws after two minutes. Not often: what it asks shares the cores with what is measured. */
export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited two minutes for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What the figures were measured on, in one line. */
export function machine(nc: NatsConnection): string {
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.version}`,
    `nats-server ${nc.info?.version ?? "?"} (file storage)`,
  ].join(", ");
}
