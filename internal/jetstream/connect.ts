import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, connect, credsAuthenticator, errors, type NatsConnection } from "nats";
import type { Config } from "../service/config.ts";
import { type Log, reasonOf, withoutPassword } from "../service/log.ts";
import type { Opening } from "../service/opening.ts";
import { Refused } from "../service/unavailable.ts";
import { hearNats } from "./first-words.ts";
import { privateInbox } from "./inbox.ts";
import { WireWriter } from "./wire-writer.ts";

export const natsVariables = ["NATS_URL", "NATS_CREDS"] as const;
export type NatsVariable = (typeof natsVariables)[number];

/** Pause between attempts. Short, because each second away adds a second of latency to every event in flight. */
const retryMs = 500;

/**
 * Connects to NATS and stays connected: waits for a server that is away, at the start and later, however long, and
 * logs it. Inboxes get the service's own prefix, `_INBOX_<service>`, so that permissions can keep services apart.
 * @throws Refused, in one sentence, when the server refuses the credentials or they belong to another service;
 * `signal`'s reason when aborted
 */
export async function connectNats(
  service: string,
  config: Config<NatsVariable>,
  log: Log,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const options = {
    ...(await serversOf(config)),
    name: `croupier ${service}`,
    inboxPrefix: `_INBOX_${service}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: retryMs,
    reconnectJitter: retryMs / 2,
    // Credentials may be refused for a while, as when they are being changed: no reason to give up.
    ignoreAuthErrorAbort: true,
    // Two missed pings reveal a half-open connection.
    pingInterval: 10_000,
    maxPingOut: 2,
  };
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      await hearNats(options.servers, signal);
      const nc = throwing(await connect(options));
      await checkUser(nc, service, config);
      void logStatus(nc, log);
      return nc;
    } catch (err) {
      signal.throwIfAborted();
      if (err instanceof Refused) throw err;
      if (isAuthError(err))
        throw refusal("refuses the credentials: check NATS_URL and NATS_CREDS", config, err);
      if (attempt % 20 === 1)
        log.warn(
          { because: reasonOf(err), servers: withoutPassword(config.NATS_URL) },
          "NATS is away, trying until it answers",
        );
      await sleep(retryMs, undefined, { signal });
    }
  }
}

/**
 * Makes what a subscription's callback throws an uncaught exception, which ends a process as any bug does. The library
 * catches it and stops reading: the process would be deaf, without a word, until two pings are missed.
 */
function throwing(nc: NatsConnection): NatsConnection {
  const subscribe = nc.subscribe.bind(nc);
  nc.subscribe = (subject, options) => {
    const callback = options?.callback;
    if (callback === undefined) return subscribe(subject, options);
    return subscribe(subject, {
      ...options,
      callback: (...message) => {
        try {
          callback(...message);
        } catch (bug) {
          queueMicrotask(() => {
            throw bug;
          });
        }
      },
    });
  };
  return nc;
}

/** As `connectNats`, for a service: the connection is closed with it. */
export async function openNats(service: Opening<NatsVariable>): Promise<NatsConnection> {
  const { name, config, log, signal, onClose } = service;
  const nc = await connectNats(name, config, log, signal);
  onClose("NATS", () => disconnect(nc));
  return nc;
}

/** A user that may not subscribe to its own inboxes would wait in vain for every answer. Better to say so once, here. */
async function checkUser(nc: NatsConnection, service: string, config: Config<NatsVariable>): Promise<void> {
  let problem: Error | null = null;
  const subscription = nc.subscribe(privateInbox(nc), {
    callback: (err) => {
      problem = err;
    },
  });
  try {
    await nc.flush();
    if (problem !== null)
      throw refusal(
        `does not let this user hear the answers that ${service} needs: NATS_URL must name the user of nats.conf for it, which is operator for a command`,
        config,
        problem,
      );
    subscription.unsubscribe();
  } catch (err) {
    await nc.close();
    throw err;
  }
}

function refusal(what: string, { NATS_URL }: Config<"NATS_URL">, cause: unknown): Refused {
  return new Refused(`NATS at ${withoutPassword(NATS_URL)} ${what}`, { cause });
}

function isAuthError(err: unknown): boolean {
  return err instanceof errors.AuthorizationError || err instanceof errors.UserAuthenticationExpiredError;
}

/** How long the last flush may take. */
const farewellMs = 1_500;

/** Sends what is still buffered, acknowledgements above all, and closes. Closes at once when the server is away. */
export async function disconnect(nc: NatsConnection): Promise<void> {
  WireWriter.of(nc).handOver();
  const flushed = nc.flush().catch(() => undefined);
  await Promise.race([flushed, sleep(farewellMs, undefined, { ref: false })]);
  await nc.close();
}

async function serversOf(
  config: Config<NatsVariable>,
): Promise<ConnectionOptions & { readonly servers: string[] }> {
  const servers = urlsOf(config.NATS_URL);
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

export function urlsOf(servers: string): readonly URL[] {
  return servers
    .split(",")
    .map((server) => server.trim())
    .map((server) => new URL(server.includes("://") ? server : `nats://${server}`));
}

/** Clients choose where a micro service answers, also where it may not: that must not fill the log. */
const violationsLoggedEveryMs = 60_000;

async function logStatus(nc: NatsConnection, log: Log): Promise<void> {
  let refused = false;
  let violations = 0;
  let violationsLoggedAt = Number.NEGATIVE_INFINITY;
  for await (const status of nc.status()) {
    if (status.type === "disconnect") log.warn({ server: status.server }, "lost NATS, reconnecting");
    else if (status.type === "reconnect") {
      refused = false;
      log.info({ server: status.server }, "NATS is back");
    } else if (status.type === "error" && status.error instanceof errors.PermissionViolationError) {
      violations++;
      if (performance.now() - violationsLoggedAt < violationsLoggedEveryMs) continue;
      log.error({ because: reasonOf(status.error), violations }, "NATS refuses what this user may not do");
      violationsLoggedAt = performance.now();
      violations = 0;
    } else if (status.type === "error") {
      // Every attempt to reconnect fails the same way: log it once.
      const again = refused && isAuthError(status.error);
      refused ||= isAuthError(status.error);
      if (!again) log.error({ because: reasonOf(status.error) }, "NATS reports an error");
    }
  }
}
