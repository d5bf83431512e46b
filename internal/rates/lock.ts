import { randomUUID } from "node:crypto";
import { RedisConnection } from "../redis/connect.ts";
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
  const redis = new RedisConnection(options.url, {
    timeoutMs: timeout,
    onFailure: away.began,
    onSuccess: away.over,
  });
  // A process that starts should not ask the API only because its connection is still opening.
  const attempted = new Promise<void>((resolve) => {
    redis.client.once("ready", resolve).once("close", resolve);
  });

  const lease = (token: string): Lease => ({
    release: async () => {
      await redis.client.eval(releaseIfOwn, 1, key, token).catch(away.began);
    },
  });

  return {
    async acquire() {
      await attempted;
      const token = randomUUID();
      try {
        const answer = await redis.watched(redis.client.set(key, token, "PX", ttl, "NX"));
        return answer === "OK" ? lease(token) : undefined;
      } catch {
        // Its token still counts: Redis may have set the lock although the answer was lost.
        return lease(token);
      }
    },
    close: () => redis.close(),
  };
}
