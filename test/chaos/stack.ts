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

/** On what the broker runs: one server; one whose disk is a small one in memory; three as a cluster. */
export type Topology = "single" | "small-disk" | "cluster";

/** A server that services reach through proxies. */
export type Backend = "nats" | "postgres" | "redis";

export interface StackOptions {
  readonly topology: Topology;
  readonly folder: string;
  readonly natsServer: string | undefined;
  readonly queueMaxBytes: number;
  /** How many events it must have room for. */
  readonly events: number;
  /** Told each line of the logger. */
  readonly onLine: (line: string) => void;
}

/** A line from one process to one server. */
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

/** Room for the bucket of rates and for what a server holds beside its streams, in bytes. */
const spare = 64 * 2 ** 20;

/** Room for a final event in CASINO_EVENTS, generously, in bytes. */
const bytesPerEvent = 1_500;

/**
 * The whole system of one run: its own servers, and every service as a process of its own that is started again when
 * it ends. Services reach single servers through a proxy for each pair; the run itself connects directly.
 */
export interface ChaosStack extends AsyncDisposable {
  readonly topology: Topology;
  readonly brokers: readonly TestServer[];
  readonly postgres: TestServer;
  readonly redis: TestServer;
  readonly rates: RatesApi;
  readonly links: readonly Link[];
  readonly services: readonly KeptService[];
  /** Direct, past all proxies. */
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  /** A URL of the brokers with an operator's credentials, direct. */
  readonly natsUrl: string;
  /** A connection as a producer has it, through a proxy. It is the generator's, who may publish for any client. */
  readonly producer: NatsConnection;
  /** One as the hostile client's producer has it; undefined where the broker has no accounts. */
  readonly hostile: NatsConnection | undefined;
  /** Below the broker's store, where the topology has one. */
  readonly smallDisk: SmallDisk | undefined;
  /** @throws Error when there is none of this name */
  service(name: string): KeptService;
  proxies(to: Backend): readonly TcpProxy[];
  /** A fresh API key of a source of this client. */
  keyFor(client: string, source: string): Promise<string>;
}

/** Starts everything; resolves once every service is ready. What was started before an error is ended by the guard. */
export async function startStack(options: StackOptions): Promise<ChaosStack> {
  const { topology, folder } = options;
  const eventsMaxBytes = 64 * 2 ** 20 + options.events * bytesPerEvent;
  const natsFolder = join(folder, "nats");
  const natsServer = options.natsServer ?? (await findNatsServer()).path;
  // Queues and all, and still small enough to be filled in a moment.
  const diskBytes = eventsMaxBytes + 4 * options.queueMaxBytes;
  const disk =
    topology === "small-disk" ? await smallDisk(join(natsFolder, "store"), natsServer, diskBytes) : undefined;
  const broker = {
    folder: natsFolder,
    binary: disk?.wrapper ?? natsServer,
    // Queues, dead letters and records reserve their limits.
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
  // The members of a cluster tell clients each other's addresses: proxies would only be the way in.
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
