import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { hasBecomeReplica, isReply } from "../redis/connect.ts";
import type { Log } from "../service/log.ts";
import { outage } from "./outage.ts";

/** Lets one process at a time ask the rates API. It saves calls; two holders do no harm. */
export interface RatesLock {
  /**
   * Returns a lease to whoever gets the lock, undefined while another holds it. Does not wait for the holder and never
   * rejects: while the lock itself is out of reach, everybody gets a lease.
   */
  acquire(): Promise<Lease | undefined>;
  close(): Promise<void>;
}

export interface Lease {
  /** Releases the lock unless it has passed to another. Never rejects: a lock left behind expires. */
  release(): Promise<void>;
}

export interface RedisLockOptions {
  /** redis:// or rediss://. */
  readonly url: string;
  readonly log: Log;
  readonly key?: string;
  /** After how many ms the lock of a dead holder expires; must exceed the time a holder needs. Default 10 s. */
  readonly ttl?: number;
  /** Limit in ms on connecting and on each command; default 1 s. */
  readonly timeout?: number;
}

const releaseIfOwn = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`;

/** For one machine without Redis: everybody gets a lease at once. */
export const noLock: RatesLock = {
  acquire: async () => ({ release: async () => {} }),
  close: async () => {},
};

/**
 * The lock in Redis. Connects and reconnects by itself without ever failing: while Redis is away every `acquire`
 * succeeds, and the log says so once per outage. Calls may overlap.
 */
export function redisLock(options: RedisLockOptions): RatesLock {
  const { key = "casino:rates:lock", ttl = 10_000, timeout = 1_000 } = options;
  const away = outage(
    options.log,
    "the lock in Redis",
    "the rates API may be asked by several processes at once",
  );
  const redis = new Redis(options.url, {
    connectTimeout: timeout,
    commandTimeout: timeout,
    // A lock requested before an outage must not be taken after it, when nobody is left to hold it.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
    reconnectOnError: hasBecomeReplica,
  });
  // Without a listener ioredis would write each failed attempt to the console.
  redis.on("error", (error) => away.began(error));
  /** Redis answers but gives no lock: it is full, or a replica. A new connection does not mean that it works again. */
  let refuses = false;
  redis.on("ready", () => {
    if (!refuses) away.over();
  });
  // A process that starts should not ask the API only because its connection is still opening.
  const attempted = new Promise<void>((resolve) => {
    redis.once("ready", resolve);
    redis.once("close", resolve);
  });

  const lease = (token: string): Lease => ({
    release: async () => {
      await redis.eval(releaseIfOwn, 1, key, token).catch((error: unknown) => away.began(error));
    },
  });

  return {
    async acquire() {
      await attempted;
      const token = randomUUID();
      try {
        const answer = await redis.set(key, token, "PX", ttl, "NX");
        refuses = false;
        away.over();
        return answer === "OK" ? lease(token) : undefined;
      } catch (error) {
        refuses = isReply(error);
        away.began(error);
        // Its token still counts: Redis may have set the lock although the answer was lost.
        return lease(token);
      }
    },
    async close() {
      await redis.quit().catch(() => redis.disconnect());
    },
  };
}
