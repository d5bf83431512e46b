import { join } from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "nats";
import { findNatsServer } from "../../internal/local/binaries.ts";
import { freePort } from "../../internal/local/free-port.ts";
import { startPostgres } from "../../internal/local/postgres-server.ts";
import { startRedis } from "../../internal/local/redis-server.ts";
import { restartable, type TestServer } from "../harness/restartable.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { jetStreamAnswers, startBroker, startCluster } from "./broker.ts";
import { mallory } from "./hostile/attacks.ts";
import { malloryUser } from "./hostile/broker-config.ts";
import { KeptService } from "./kept-service.ts";
import { RatesApi } from "./rates-api.ts";
import { runCommand } from "./run-command.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

/** The broker: one server; one with a small disk in memory; or a cluster of three. */
export type Topology = "single" | "small-disk" | "cluster";

/** A server that services reach through proxies. */
export type Backend = "nats" | "postgres" | "redis";

export interface StackOptions {
  readonly topology: Topology;
  readonly folder: string;
  readonly natsServer: string | undefined;
  readonly queueMaxBytes: number;
  /** The number of events for which it must have room. */
  readonly events: number;
  /** Called with each line of the logger. */
  readonly onLine: (line: string) => void;
}

/** The connections from one process to one server. */
export interface Link {
  readonly from: string;
  readonly to: Backend;
  readonly proxy: TcpProxy;
}

const served: readonly { readonly name: string; readonly command: string }[] = [
  { name: "enricher-1", command: "enricher" },
  { name: "enricher-2", command: "enricher" },
  { name: "gateway", command: "gateway" },
  { name: "materializer", command: "materializer" },
  { name: "logger", command: "logger" },
  { name: "archiver", command: "archiver" },
];

/** Room for buckets and the server's own files, in bytes. */
const spare = 64 * 2 ** 20;

/** A generous size of a final event in CASINO_EVENTS, in bytes. */
const bytesPerEvent = 1_500;

/**
 * The whole system of a run: its own servers, and every service as a separate process that is restarted when it ends. Each
 * service reaches each server through a proxy of its own, except a cluster; the run itself connects directly.
 */
export interface ChaosStack extends AsyncDisposable {
  readonly topology: Topology;
  readonly brokers: readonly TestServer[];
  readonly postgres: TestServer;
  readonly redis: TestServer;
  readonly rates: RatesApi;
  readonly links: readonly Link[];
  readonly services: readonly KeptService[];
  /** A direct connection, without a proxy. */
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** The brokers' URL with an operator's credentials, without a proxy. */
  readonly natsUrl: string;
  /** A producer's connection, through a proxy. Its user is `generator`, which may publish for any client. */
  readonly producer: NatsConnection;
  /** The hostile producer's connection; undefined if the broker has no accounts. */
  readonly hostile: NatsConnection | undefined;
  /** The disk under the broker's store, if the topology has one. */
  readonly smallDisk: SmallDisk | undefined;
  /** @throws Error if there is no such service */
  service(name: string): KeptService;
  proxies(to: Backend): readonly TcpProxy[];
  /** Creates an API key for a source of this client. */
  keyFor(client: string, source: string): Promise<string>;
}

/** Starts everything; resolves once every service is ready. After an error, the guard ends what was started. */
export async function startStack(options: StackOptions): Promise<ChaosStack> {
  const { topology, folder } = options;
  const eventsMaxBytes = 64 * 2 ** 20 + options.events * bytesPerEvent;
  const natsFolder = join(folder, "nats");
  const natsServer = options.natsServer ?? (await findNatsServer()).path;
  // Large enough for all streams, and small enough to be filled quickly.
  const diskBytes = eventsMaxBytes + 4 * options.queueMaxBytes;
  const disk =
    topology === "small-disk" ? await smallDisk(join(natsFolder, "store"), natsServer, diskBytes) : undefined;
  const broker = {
    folder: natsFolder,
    binary: disk?.wrapper ?? natsServer,
    // Queues, dead letters and records reserve space up to their limits.
    maxFileStore: eventsMaxBytes + 5 * options.queueMaxBytes + spare,
  };
  const [{ servers: brokers, credentials }, postgres, redis, rates] = await Promise.all([
    topology === "cluster" ? startCluster(broker) : startBroker(broker),
    restartable((again) => startPostgres({ dir: join(folder, "postgres"), durability: "durable", ...again })),
    restartable((again) => startRedis({ dir: join(folder, "redis"), ...again })),
    RatesApi.open(),
  ]);
  const servers = brokers.map(({ url }) => url);
  const nc = await connect({
    servers,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    ...credentials("operator"),
  });
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  await jetStreamAnswers(() => jsm.getAccountInfo());

  const links: Link[] = [];
  const urlFor = async (from: string, to: Backend, server: TestServer): Promise<string> => {
    const proxy = await TcpProxy.open(await freePort(), server.port);
    links.push({ from, to, proxy });
    const url = new URL(server.url);
    url.port = String(proxy.port);
    return url.href.replace(/\/$/, "");
  };
  // The nodes of a cluster tell clients each other's addresses, so clients would bypass a proxy.
  const natsFor = async (from: string) => {
    const [only] = brokers;
    return topology === "cluster" || only === undefined ? servers.join(",") : urlFor(from, "nats", only);
  };
  const natsAs = (user: string, url: string): string => {
    const { user: username = "", pass: password = "" } = credentials(user);
    return username === "" ? url : Object.assign(new URL(url), { username, password }).href;
  };
  const producing = async (user: string, inboxPrefix: string): Promise<NatsConnection> =>
    connect({
      servers: (await natsFor(user)).split(","),
      inboxPrefix,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      pingInterval: 10_000,
      ...credentials(user),
    });
  const env = {
    NATS_REPLICAS: topology === "cluster" ? "3" : "1",
    RATES_URL: rates.url,
    QUEUE_MAX_BYTES: String(options.queueMaxBytes),
    EVENTS_MAX_BYTES: String(eventsMaxBytes),
    RATE_LIMIT: "1000000",
  };
  const operator = { DATABASE_URL: postgres.url };
  await runCommand("migrate", [], operator);
  await runCommand("samples", [], operator);
  await runCommand("clients", ["add", mallory], operator);
  const services = await Promise.all(
    served.map(async ({ name, command }) =>
      KeptService.start({
        name,
        command,
        folder,
        env: {
          ...env,
          NATS_URL: natsAs(command, await natsFor(name)),
          DATABASE_URL: await urlFor(name, "postgres", postgres),
          REDIS_URL: await urlFor(name, "redis", redis),
        },
        ...(name === "logger" ? { onLine: options.onLine } : {}),
      }),
    ),
  );
  const producer = await producing("generator", "_INBOX_generator");
  const hostile = topology === "cluster" ? undefined : await producing(malloryUser, "_INBOX");
  await Promise.all(services.map((service) => service.ready()));
  return {
    ...{ topology, brokers, postgres, redis, rates, links, services, nc, jsm, producer, hostile },
    smallDisk: disk,
    natsUrl: topology === "cluster" ? servers.join() : natsAs("operator", servers[0] ?? ""),
    service(name) {
      const found = services.find((service) => service.name === name);
      if (found === undefined) throw new Error(`there is no service ${name}`);
      return found;
    },
    proxies: (to) => links.filter((link) => link.to === to).map(({ proxy }) => proxy),
    async keyFor(client, source) {
      const said = await runCommand("clients", ["keys", "create", client, source], operator);
      const key = /cr_\w+/.exec(said)?.[0];
      if (key === undefined) throw new Error(`no key in: ${said}`);
      return key;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(services.map((service) => service.stop()));
      await Promise.all([nc.close(), producer.close(), hostile?.close()]);
      await Promise.all([...brokers, postgres, redis].map((server) => server.stop()));
      disk?.close();
      await Promise.all(
        [rates, ...links.map(({ proxy }) => proxy)].map((each) => each[Symbol.asyncDispose]()),
      );
    },
  };
}
