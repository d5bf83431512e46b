import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "nats";
import { pino } from "pino";
import { afterAll, afterEach } from "vitest";
import { WorkerProcess } from "../../internal/actor/worker-process.ts";
import type { Publisher } from "../../internal/jetstream/publisher.ts";
import { type StreamLimits, streamVariables } from "../../internal/jetstream/topology.ts";
import { OutgoingHeaders } from "../../internal/jetstream/wire-headers.ts";
import { rawSubject } from "../../internal/messages/subjects.ts";
import { type Config, readConfig } from "../../internal/service/config.ts";
import { natsForTest } from "./infrastructure.ts";
import type { TestServer } from "./restartable.ts";

/** A log that says nothing. */
export const silent = pino({ level: "silent" });

/** The limits of the streams as they are by default. */
export const defaultLimits: StreamLimits = readConfig(streamVariables, {}, {});

/** The configuration of a connection to this server, as the services read theirs. */
export function natsConfig(server: TestServer): Config<"NATS_URL" | "NATS_CREDS"> {
  return readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: server.url });
}

/** What stands for this process where a run of a step wants to know; closed after the file's last test. */
export function workerForTest(): WorkerProcess {
  const fail = (why: Error) => {
    throw why;
  };
  const worker = new WorkerProcess({ service: "test", level: "fatal", log: silent, onStuck: fail });
  afterAll(() => worker.close());
  return worker;
}

/** A broker for a test file, and a connection to it. */
export async function brokerForTest() {
  const server = await natsForTest();
  return { server, ...(await connectForTest(server)) };
}

/** A connection that survives restarts of the server; closed after the file's last test. */
export async function connectForTest(
  server: TestServer,
  credentials: { readonly user?: string; readonly pass?: string } = {},
): Promise<{ nc: NatsConnection; jsm: JetStreamManager }> {
  const { url: servers } = server;
  const nc = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50, ...credentials });
  afterAll(() => nc.close());
  return { nc, jsm: await jetstreamManager(nc) };
}

/**
 * A broker of this test file's own whose streams are each test's own: what a test leaves is deleted after it, and after the
 * file's own `afterEach`, which may still need it.
 * @param server default: a new one
 */
export async function streamsForTest(
  server?: TestServer,
): Promise<{ server: TestServer; nc: NatsConnection; jsm: JetStreamManager }> {
  const broker = server ?? (await natsForTest());
  const { nc, jsm } = await connectForTest(broker);
  afterEach(() => removeStreams(jsm));
  return { server: broker, nc, jsm };
}

/** Deletes every stream there is. */
export async function removeStreams(jsm: JetStreamManager): Promise<void> {
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name);
}

/** Publishes producers' messages, each under an id of its own. */
export function rawSender(publisher: Publisher) {
  let sent = 0;
  return async (
    payload: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
    client = "casino",
  ): Promise<void> => {
    const out = new OutgoingHeaders().add("Nats-Msg-Id", `test:${++sent}`);
    for (const [name, value] of Object.entries(headers)) out.add(name, value);
    await publisher.publish({ subject: rawSubject(client), payload: Buffer.from(payload), headers: out });
  };
}
