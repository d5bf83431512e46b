import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "nats";
import { pino } from "pino";
import { afterAll } from "vitest";
import { type Config, readConfig } from "../../internal/config.ts";
import { type StreamLimits, streamVariables } from "../../internal/jetstream/topology.ts";
import type { TestServer } from "./restartable.ts";

/** A log that says nothing. */
export const silent = pino({ level: "silent" });

/** The limits of the streams as they are by default. */
export const defaultLimits: StreamLimits = readConfig(streamVariables, {}, {});

/** The configuration of a connection to this server, as the services read theirs. */
export function natsConfig(server: TestServer): Config<"NATS_URL" | "NATS_CREDS"> {
  return readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: server.url });
}

/** A connection that survives restarts of the server; closed after the file's last test. */
export async function connectForTest(
  server: TestServer,
): Promise<{ nc: NatsConnection; jsm: JetStreamManager }> {
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  afterAll(() => nc.close());
  return { nc, jsm: await jetstreamManager(nc) };
}
