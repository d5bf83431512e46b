import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { withoutPassword } from "../service/log.ts";
import { findNatsServer, installedRedisServer, versionOf } from "./binaries.ts";
import type { DataFolder } from "./data-folder.ts";
import { freePort } from "./free-port.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { startNats } from "./nats-server.ts";
import { moveStreams, refuseOlder } from "./nats-store.ts";
import { natsConfig, natsRoles, natsUsers } from "./nats-users.ts";
import { startPostgres } from "./postgres-server.ts";
import { startRedis } from "./redis-server.ts";
import type { RunningServer, ServerOptions } from "./server.ts";

/** Servers that already run elsewhere; `up` starts the others. */
export interface Given {
  readonly NATS_URL?: string | undefined;
  readonly NATS_CREDS?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
  readonly REDIS_URL?: string | undefined;
  readonly RATES_URL?: string | undefined;
  /** The key that encrypts destinations' secrets; undefined = `up` makes one. */
  readonly DELIVERY_KEY?: readonly Uint8Array[] | undefined;
  readonly DELIVERY_ALLOW_PRIVATE?: unknown;
  /** Who may read the aggregates over HTTP; undefined = anybody. */
  readonly FIGURES?: "public" | "keys" | undefined;
}

/** A server that the services use. */
export interface Endpoint {
  /** Undefined if there is none. */
  readonly url: string | undefined;
  /** The URL of each service that has its own user there, by the service's name. */
  readonly users?: ReadonlyMap<string, string>;
  /** The passwords that `migrate` sets for these users. */
  readonly passwords?: ReadonlyMap<string, string>;
  /** The port, if `up` started the server. */
  readonly port?: number;
  /** For people: who runs it and where its data is. */
  readonly note: string;
}

export interface Infrastructure {
  readonly nats: Endpoint;
  readonly postgres: Endpoint;
  readonly redis: Endpoint;
}

/** The stack's part of keeping servers. */
interface Keeper {
  readonly folder: DataFolder;
  readonly say: (message: string) => void;
  /** Takes over a server before it starts, so that it is stopped whatever happens. */
  readonly adopt: (kept: Kept<RunningServer>) => void;
  /** Anonymous NATS connections are read-only, as in production. */
  readonly strict: boolean;
}

/** The database users that `migrate` creates. */
export const databaseUsers = ["enricher", "gateway", "archiver", "generator", "sender", "operator"];

/** The servers' stage: they stop after every service. */
export const serverStage = 0;

/**
 * Starts NATS, Postgres and Redis at once, except those that are given, and keeps them running. Each gets its standard
 * port, or another if that is taken. Without an installed redis-server there is no Redis. Throws if one of them cannot
 * be started the first time.
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
  // Only users of this machine can reach it, and it holds sample data.
  const users = natsUsers(keeper.strict ? "inspector" : "operator");
  const { variables } = users;
  const auth = users.credentials("operator");
  await moveStreams(dir, keeper.say);
  const binary = await findNatsServer({ preferNewer: true, say: keeper.say });
  const version = await versionOf(binary);
  refuseOlder(dir, version);
  const server = `${version}, ${binary.source}`;
  const { url, port } = await own("nats-server", dir, 4222, "SIGTERM", keeper, (options) =>
    startNats({ ...options, binary, config: natsConfig, variables, auth }),
  );
  const endpoint = { url, port, users: new Map(natsRoles.map((role) => [role, users.url(role, url)])) };
  if (!keeper.strict) return { ...endpoint, note: `${server}, data in ${dir}` };
  const file = join(dir, "operator-url");
  writeFileSync(file, `${users.url("operator", url)}\n`, { mode: 0o600 });
  return {
    ...endpoint,
    note: `${server}, anonymous connections are read-only; for more NATS_URL=$(cat ${file})`,
  };
}

async function ownPostgres(keeper: Keeper): Promise<Endpoint> {
  const dir = keeper.folder.of("postgres");
  const passwords = new Map(databaseUsers.map((user) => [user, randomBytes(16).toString("hex")]));
  const { url, port, place } = await own("postgres", dir, 5432, "SIGINT", keeper, (options) =>
    startPostgres({ ...options, durability: "durable", ours: keeper.folder.path }),
  );
  const why = place === dir ? "" : `, because the user that Postgres runs as cannot enter ${dir}`;
  const users = new Map(
    [...passwords].flatMap(([user, password]) => {
      const own = Object.assign(new URL(url), { username: `casino_${user}`, password }).href;
      const services = user === "operator" ? ["clients", "samples", "receiver"] : [user];
      return services.map((service) => [service, own] as const);
    }),
  );
  return { url, port, users, passwords, note: `data in ${place}${why}` };
}

async function ownRedis(keeper: Keeper): Promise<Endpoint> {
  const binary = await installedRedisServer();
  if (binary === undefined) {
    return { url: undefined, note: "redis-server is not on the PATH; one machine needs none" };
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

/** The services that get a database URL. The owner's URL is only for `migrate`. */
const usesDatabase = ["migrate", "samples", "clients", "receiver", ...databaseUsers];

/** The servers' URLs as a service's environment. */
export function environmentOf(
  { nats, postgres, redis }: Infrastructure,
  service: string,
): Record<string, string> {
  const urlOf = ({ url, users }: Endpoint): string => users?.get(service) ?? url ?? "";
  const DATABASE_URL = usesDatabase.includes(service) ? urlOf(postgres) : "";
  return { NATS_URL: urlOf(nats), DATABASE_URL, REDIS_URL: urlOf(redis) };
}

/** Additional environment of `migrate`. For a given database its owner decides. */
export function passwordsOf({ postgres: { passwords } }: Infrastructure): Record<string, string> {
  if (passwords === undefined) return {};
  return { DATABASE_PASSWORDS: [...passwords].map((pair) => pair.join("=")).join(",") };
}

/** The URL to show to people, without the passwords of given servers. */
export function shownUrl({ url, port }: Endpoint): string {
  return url === undefined ? "none" : port === undefined ? withoutPassword(url) : url;
}

/** The rates API: the given one, or the local sample on its port; undefined port = none. */
export function ratesEndpoint({ RATES_URL }: Given, port: number | undefined): Endpoint {
  if (RATES_URL) return { url: RATES_URL, note: "from RATES_URL" };
  if (port === undefined) return { url: undefined, note: "--no-rates" };
  const note = "a local sample with fixed rates; set RATES_URL for real ones";
  return { url: `http://127.0.0.1:${port}/latest`, port, note };
}
