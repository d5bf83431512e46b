import { once } from "node:events";
import { AckPolicy, DiscardPolicy, type JetStreamManager } from "@nats-io/jetstream";
import type { FastifyInstance } from "fastify";
import { connect, type NatsConnection } from "nats";
import { afterAll, onTestFinished } from "vitest";
import { defaultLimits, silent } from "../../test/harness/broker.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import type { TestServer } from "../../test/harness/restartable.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import type { CustomTypes } from "../casino/decode.ts";
import { keysIn } from "../clients/api-key-cache.ts";
import { createKey, listClients, takesEventsOf } from "../clients/client-repository.ts";
import { layout } from "../enrichment/pipeline.ts";
import { erasePlayer } from "../erasure/erase.ts";
import { gameKind } from "../games/game-kind.ts";
import { localCounter } from "../http/request-counter.ts";
import { hasCode, streamNotFound } from "../jetstream/api-error.ts";
import { IngestBuffer } from "../jetstream/ingest-buffer.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { playerKind } from "../players/player-kind.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { postgresRecords } from "../records/postgres-records.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { buildGateway, type GatewayDependencies } from "./app.ts";
import type { EventTypes } from "./events/submission.ts";

/** A migrated database of the test file's own, with its connections. */
export async function databaseOfFile(): Promise<Database> {
  const url = await databaseForTest();
  const db = connectPostgres(url, "test", silent);
  afterAll(() => db.destroy());
  await migrateWithSamples(db);
  return db;
}

/** A key of client `casino`, or the given one. */
export async function keyFor(db: Database, source: string, client = "casino"): Promise<string> {
  const key = await createKey(db, { client, source });
  if (key === undefined) throw new Error(`there is no client ${client}`);
  return key;
}

/** Fixed custom types: those called `note`, whose data must have a text. */
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
  /** Starts listening at the first call. */
  origin(): Promise<string>;
}

interface GivenToGateway extends Partial<GatewayDependencies> {
  readonly mostInFlight?: number;
  readonly timeoutMs?: number;
}

/** A broker, a database and a key of client `casino` for a test file, and the gateways of its tests. */
export async function gatewaysOfFile(source = "test") {
  const server = await natsForTest();
  const db = await databaseOfFile();
  const key = await keyFor(db, source);
  return { server, db, key, openGateway: (given?: GivenToGateway) => gatewayForTest(server, db, given) };
}

/** A gateway with a test's options; closed after the test. */
export async function gatewayForTest(
  server: TestServer,
  db: Database,
  given: GivenToGateway = {},
): Promise<TestGateway> {
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  if (server.running) await ensureStreams(nc, ["raw"], defaultLimits);
  const publisher = new Publisher(nc, { timeoutMs: given.timeoutMs ?? 4_000 });
  const stop = new AbortController();
  const app = await buildGateway({
    nc,
    buffer: new IngestBuffer({ publisher, ...(given.mostInFlight && { maxEvents: given.mostInFlight }) }),
    bundles: () => true,
    keys: keysIn(db),
    db,
    layout,
    clients: async () => (await listClients(db)).map(({ id }) => id),
    types: noteTypes,
    knowsClient: (client) => takesEventsOf(db, client),
    currentRates: async () => undefined,
    findEvents: async () => ({ events: [], next_cursor: null }),
    players: postgresRecords(db, playerKind),
    games: postgresRecords(db, gameKind),
    webhooks: undefined,
    erasePlayer: (client, id, by, signal) =>
      erasePlayer(client, id, {
        ...{ nc, db, by, signal, log: silent },
        publish: (message) => publisher.publish(message, signal),
      }),
    counter: localCounter(),
    rateLimit: 1_000_000,
    maxAheadMs: 86_400_000,
    figures: "public",
    checks: {},
    metrics: new Metrics(silent),
    version: "0.0.0",
    log: silent,
    stopping: stop.signal,
    ...given,
    // Other tests may hold this process up: 0 is never too long.
    limits: { heldUpMs: 0, ...given.limits },
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

/** Asks a gateway with a key, by default this one. Bodies are JSON, unless the options say otherwise. */
export function askerOf({ app }: Pick<TestGateway, "app">, key: string) {
  return async (
    method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE",
    url: string,
    body?: unknown,
    { as = key, type = "application/json" }: { readonly as?: string; readonly type?: string } = {},
  ) => {
    const hasBody = body !== undefined;
    const isRaw = typeof body === "string" || Buffer.isBuffer(body);
    const response = await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${as}`, ...(hasBody && { "content-type": type }) },
      ...(hasBody && { payload: isRaw ? body : JSON.stringify(body) }),
    });
    const answer = response.body === "" ? undefined : response.json();
    return { status: response.statusCode, headers: response.headers, body: answer };
  };
}

/** Empties the raw stream and sets its limits, by default the usual ones. */
export async function emptyRaw(
  jsm: JetStreamManager,
  limits: { readonly max_msgs?: number } = {},
): Promise<void> {
  // A server that has just started may be too busy to answer; "no such stream" is an answer.
  await waitFor(() =>
    jsm.streams.delete("CASINO_RAW").catch((err: unknown) => {
      if (!hasCode(err, streamNotFound)) throw err;
      return true;
    }),
  );
  await jsm.streams.add({
    name: "CASINO_RAW",
    subjects: ["casino.event.raw.*"],
    retention: "workqueue",
    discard: DiscardPolicy.New,
    max_msg_size: 960 * 1024,
    max_msgs: -1,
    duplicate_window: 100_000_000,
    ...limits,
  });
}

/** A message of the raw stream. */
interface StoredMessage {
  readonly subject: string;
  /** Its events, each as its text. */
  readonly events: readonly string[];
  readonly header: (name: string) => string;
}

/** The messages in the raw stream, in order. */
export async function storedMessages(jsm: JetStreamManager): Promise<readonly StoredMessage[]> {
  const { messages } = (await jsm.streams.info("CASINO_RAW")).state;
  const look = { name: "look", ack_policy: AckPolicy.Explicit, max_ack_pending: -1 };
  await jsm.consumers.add("CASINO_RAW", look);
  const consumer = await jsm.jetstream().consumers.get("CASINO_RAW", look.name);
  const stored: StoredMessage[] = [];
  for (let read = -1; stored.length < messages; ) {
    if (stored.length === read) throw new Error(`got ${read} of ${messages} messages`);
    read = stored.length;
    // A message may have some 100 KiB, and the server cuts off clients that leave too many unread.
    const batch = { max_messages: Math.min(200, messages - read), expires: 5_000 };
    for await (const message of await consumer.fetch(batch))
      stored.push({
        subject: message.subject,
        events: message.string().split("\n"),
        header: (name) => message.headers?.get(name) ?? "",
      });
  }
  await jsm.consumers.delete("CASINO_RAW", look.name);
  return stored;
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
