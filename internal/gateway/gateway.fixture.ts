import { once } from "node:events";
import { DiscardPolicy, type JetStreamManager } from "@nats-io/jetstream";
import type { FastifyInstance } from "fastify";
import { connect, type NatsConnection } from "nats";
import { afterAll, onTestFinished } from "vitest";
import { defaultLimits, silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import type { TestServer } from "../../test/harness/restartable.ts";
import type { CustomTypes } from "../casino/decode.ts";
import { createKey, hasClient } from "../clients/directory.ts";
import { KeyRing, postgresKeys } from "../clients/key-ring.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { buildGateway, type GatewayDependencies } from "./app.ts";
import { Outbox } from "./outbox.ts";
import { localCounter } from "./request-counter.ts";
import type { EventTypes } from "./submission.ts";

/** A migrated database of the test file's own, with its connections. */
export async function databaseOfFile(): Promise<Database> {
  const url = await databaseForTest();
  const db = connectPostgres(url, "test", silent);
  afterAll(() => db.destroy());
  await migrate(db);
  return db;
}

/** A key of client `casino`, or the given one. */
export async function keyFor(db: Database, source: string, client = "casino"): Promise<string> {
  const key = await createKey(db, { client, source });
  if (key === undefined) throw new Error(`there is no client ${client}`);
  return key;
}

/** Custom types that do not change: those of the name `note`, whose data must have a text. */
export const noteTypes: EventTypes = {
  decode: (_client, read) => read(typesOf),
};

const typesOf: CustomTypes = (type) =>
  type === "note"
    ? (data) =>
        typeof (data as { text?: unknown }).text === "string" // the reader lets only objects through
          ? []
          : [{ path: "/text", message: "must be string" }]
    : undefined;

export interface TestGateway {
  readonly app: FastifyInstance;
  readonly nc: NatsConnection;
  readonly publisher: Publisher;
  readonly stop: AbortController;
  /** Listens when first asked. */
  origin(): Promise<string>;
}

/** A gateway as a test wants it; closed after the test. */
export async function gatewayForTest(
  server: TestServer,
  db: Database,
  given: Partial<GatewayDependencies> & {
    readonly outboxMessages?: number;
    readonly timeoutMs?: number;
  } = {},
): Promise<TestGateway> {
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  if (server.running) await ensureStreams(nc, ["raw"], defaultLimits);
  const publisher = new Publisher(nc, { timeoutMs: given.timeoutMs ?? 4_000 });
  const stop = new AbortController();
  const app = await buildGateway({
    nc,
    outbox: new Outbox({ publisher, ...(given.outboxMessages && { maxMessages: given.outboxMessages }) }),
    keys: new KeyRing(postgresKeys(db)),
    types: noteTypes,
    knowsClient: (client) => hasClient(db, client),
    findEvents: async () => ({ events: [], next_cursor: null }),
    counter: localCounter(),
    rateLimit: 1_000_000,
    checks: {},
    version: "0.0.0",
    log: silent,
    stopping: stop.signal,
    ...given,
  });
  onTestFinished(async () => {
    stop.abort();
    app.server.closeAllConnections();
    await app.close();
    publisher.close();
    await nc.close();
  });
  return {
    app,
    nc,
    publisher,
    stop,
    async origin() {
      if (!app.server.listening) {
        await app.listen({ port: 0, host: "127.0.0.1" });
        if (!app.server.listening) await once(app.server, "listening");
      }
      const address = app.server.address();
      if (address === null || typeof address === "string") throw new Error("it does not listen on a port");
      return `http://127.0.0.1:${address.port}`;
    },
  };
}

/** Empties the raw stream and gives it these limits, or the usual ones. */
export async function emptyRaw(
  jsm: JetStreamManager,
  limits: { readonly max_msgs?: number } = {},
): Promise<void> {
  await jsm.streams.delete("CASINO_RAW").catch(() => false);
  await jsm.streams.add({
    name: "CASINO_RAW",
    subjects: ["casino.event.raw.*"],
    retention: "workqueue",
    discard: DiscardPolicy.New,
    max_msg_size: 960 * 1024,
    max_msgs: -1,
    duplicate_window: 120_000_000_000,
    ...limits,
  });
}

export const deposit = (id: number, more: object = {}) => ({
  id,
  player_id: 12,
  type: "deposit",
  amount: 10_000,
  currency: "EUR",
  created_at: "2022-03-03T12:12:00Z",
  ...more,
});
