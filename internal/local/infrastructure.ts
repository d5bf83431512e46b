import { resolve } from "node:path";
import { withoutPassword } from "../log.ts";
import { installedRedisServer } from "./binaries.ts";
import type { DataFolder } from "./data-folder.ts";
import { freePort } from "./free-port.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { startNats } from "./nats-server.ts";
import { startPostgres } from "./postgres-server.ts";
import { startRedis } from "./redis-server.ts";
import type { RunningServer, ServerOptions } from "./server.ts";

/** What somebody else runs already; what is missing here is started. */
export interface Given {
  readonly NATS_URL?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
  readonly REDIS_URL?: string | undefined;
  readonly RATES_URL?: string | undefined;
}

/** A server that the services use. */
export interface Endpoint {
  /** Undefined: done without. */
  readonly url: string | undefined;
  /** The port of one of ours. */
  readonly port?: number;
  /** For people: whose it is, where its data lies. */
  readonly note: string;
}

export interface Infrastructure {
  readonly nats: Endpoint;
  readonly postgres: Endpoint;
  readonly redis: Endpoint;
}

/** How the servers are kept, which is the stack's business. */
export interface Keeper {
  readonly folder: DataFolder;
  readonly say: (message: string) => void;
  /** Takes over a server, from the first moment on, so that it is stopped whatever happens. */
  readonly adopt: (kept: Kept<RunningServer>) => void;
}

const natsConfig = resolve(import.meta.dirname, "../../nats.conf");

/** The stage of servers: they stop after every service. */
export const serverStage = 0;

/**
 * Starts those of NATS, Postgres and Redis that are not given, at once, each on its standard port or on another if that is
 * taken, and keeps them running on that port. Redis is done without where it is not installed. Throws when one of them
 * cannot be started the first time.
 */
export async function startInfrastructure(given: Given, keeper: Keeper): Promise<Infrastructure> {
  const [nats, postgres, redis] = await Promise.all([
    given.NATS_URL ? theirs("NATS_URL", given.NATS_URL) : ownNats(keeper),
    given.DATABASE_URL ? theirs("DATABASE_URL", given.DATABASE_URL) : ownPostgres(keeper),
    given.REDIS_URL ? theirs("REDIS_URL", given.REDIS_URL) : ownRedis(keeper),
  ]);
  return { nats, postgres, redis };
}

async function theirs(variable: string, url: string): Promise<Endpoint> {
  return { url, note: `from ${variable}` };
}

async function ownNats(keeper: Keeper): Promise<Endpoint> {
  const dir = keeper.folder.of("nats");
  const { url, port } = await own("nats-server", dir, 4222, "SIGTERM", keeper, (options) =>
    startNats({ ...options, config: natsConfig }),
  );
  return { url, port, note: `data in ${dir}` };
}

async function ownPostgres(keeper: Keeper): Promise<Endpoint> {
  const dir = keeper.folder.of("postgres");
  const { url, port, place } = await own("postgres", dir, 5432, "SIGINT", keeper, (options) =>
    startPostgres({ ...options, durability: "durable", ours: keeper.folder.path }),
  );
  const why = place === dir ? "" : `, because the user that Postgres runs as cannot enter ${dir}`;
  return { url, port, note: `data in ${place}${why}` };
}

async function ownRedis(keeper: Keeper): Promise<Endpoint> {
  const binary = await installedRedisServer();
  if (binary === undefined) {
    return { url: undefined, note: "redis-server is not on the PATH; one machine can do without" };
  }
  const { url, port } = await own(
    "redis-server",
    keeper.folder.of("redis"),
    6379,
    "SIGTERM",
    keeper,
    (options) => startRedis({ ...options, binary }),
  );
  return { url, port, note: "keeps nothing on disk" };
}

async function own<S extends RunningServer>(
  name: string,
  dir: string,
  standardPort: number,
  stopSignal: NodeJS.Signals,
  { folder, say, adopt }: Keeper,
  start: (options: ServerOptions) => Promise<S>,
): Promise<S> {
  const port = await freePort(standardPort);
  if (port !== standardPort) say(`port ${standardPort} is taken, so ${name} gets ${port}`);
  const spawned = (pid: number) => folder.processes.record(name, pid, serverStage, stopSignal);
  const kept = keepRunning(name, (signal) => start({ dir, port, signal, spawned }), say);
  adopt(kept);
  return await kept.started;
}

/** The URLs as the services' environment. */
export function environmentOf({ nats, postgres, redis }: Infrastructure): Record<string, string> {
  return {
    NATS_URL: nats.url ?? "",
    DATABASE_URL: postgres.url ?? "",
    REDIS_URL: redis.url ?? "",
  };
}

/** The URL for people's eyes: passwords of others are not shown. */
export function shownUrl({ url, port }: Endpoint): string {
  return url === undefined ? "none" : port === undefined ? withoutPassword(url) : url;
}
