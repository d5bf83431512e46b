import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, connect, credsAuthenticator, errors, type NatsConnection } from "nats";
import type { Config } from "../config.ts";
import { type Log, withoutPassword } from "../log.ts";

/** Pause between attempts; short, because each second away is a second of latency for every event in flight. */
const retryMs = 500;

/**
 * Connects to NATS and stays connected: waits for a server that is away (now and later, for ever), and says so in
 * the log. Inboxes get a prefix of the service's own, so that permissions can keep services apart.
 * @throws an Error with one sentence when the server refuses the credentials, or `signal`'s reason when aborted.
 */
export async function connectNats(
  service: string,
  config: Config<"NATS_URL" | "NATS_CREDS">,
  log: Log,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const options: ConnectionOptions = {
    ...(await serversOf(config)),
    name: `croupier ${service}`,
    inboxPrefix: `_INBOX_${service}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: retryMs,
    reconnectJitter: retryMs / 2,
    // A half-open connection is noticed after two missed pings.
    pingInterval: 10_000,
    maxPingOut: 2,
  };
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      const nc = await connect(options);
      void logStatus(nc, log);
      return nc;
    } catch (err) {
      if (err instanceof errors.AuthorizationError || err instanceof errors.UserAuthenticationExpiredError)
        throw new Error(
          `NATS at ${withoutPassword(config.NATS_URL)} refuses the credentials: check NATS_URL and NATS_CREDS`,
          { cause: err },
        );
      if (attempt % 20 === 1)
        log.warn({ err, servers: withoutPassword(config.NATS_URL) }, "NATS is away, trying until it answers");
      await sleep(retryMs, undefined, { signal });
    }
  }
}

/** How long what is still to be sent may take at the end. */
const farewellMs = 2_000;

/** Sends what is still to be sent, acknowledgements above all, and closes; at once where the server is away. */
export async function disconnect(nc: NatsConnection): Promise<void> {
  const flushed = nc.flush().catch(() => undefined);
  await Promise.race([flushed, sleep(farewellMs, undefined, { ref: false })]);
  await nc.close();
}

async function serversOf(config: Config<"NATS_URL" | "NATS_CREDS">): Promise<Partial<ConnectionOptions>> {
  const servers = config.NATS_URL.split(",").map((server) => new URL(withScheme(server.trim())));
  const user = servers.find((server) => server.username !== "");
  const credentials =
    user === undefined
      ? {}
      : user.password === ""
        ? { token: decodeURIComponent(user.username) }
        : { user: decodeURIComponent(user.username), pass: decodeURIComponent(user.password) };
  const creds =
    config.NATS_CREDS === undefined
      ? {}
      : { authenticator: credsAuthenticator(await readFile(config.NATS_CREDS)) };
  return {
    servers: servers.map((server) => server.host),
    ...(servers.some((server) => server.protocol === "tls:") ? { tls: {} } : {}),
    ...credentials,
    ...creds,
  };
}

function withScheme(server: string): string {
  return server.includes("://") ? server : `nats://${server}`;
}

async function logStatus(nc: NatsConnection, log: Log): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === "disconnect") log.warn({ server: status.server }, "lost NATS, reconnecting");
    else if (status.type === "reconnect") log.info({ server: status.server }, "NATS is back");
    else if (status.type === "error") log.error({ err: status.error }, "NATS reports an error");
  }
}
