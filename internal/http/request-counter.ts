import { Redis } from "ioredis";
import { hasBecomeReplica, isReply } from "../redis/connect.ts";
import type { Log } from "../service/log.ts";

/** Counts the requests of each key within a time window. */
export interface RequestCounter {
  /** Counts one more. @returns the count in the current window, and how long the window still lasts, in ms */
  count(key: string, windowMs: number): Promise<Count>;
  /** Undefined while it counts for all gateways together, else a sentence. */
  readonly problem: string | undefined;
  close(): void;
}

interface Count {
  readonly current: number;
  readonly ttl: number;
}

/** Counts in this process only: each gateway then allows the whole limit. */
export function localCounter(): RequestCounter {
  const windows = new Map<string, { current: number; readonly endsAt: number }>();
  return {
    problem: undefined,
    async count(key, windowMs) {
      const now = performance.now();
      let window = windows.get(key);
      if (window === undefined || window.endsAt <= now) {
        // As many entries as keys in use: few.
        window = { current: 0, endsAt: now + windowMs };
        windows.set(key, window);
      }
      window.current++;
      // Whole milliseconds: a sum of fractions may exceed the window by a hair, and Retry-After would be 2.
      return { current: window.current, ttl: Math.round(window.endsAt - now) };
    },
    close: () => windows.clear(),
  };
}

const increment = `
local current = redis.call('incr', KEYS[1])
if current == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end
return {current, redis.call('pttl', KEYS[1])}`;

/** A Redis slower than this must not slow requests down. */
const timeoutMs = 250;
/** After a failure Redis is left alone for this long. */
const pauseMs = 1_000;

/**
 * Counts in Redis for all gateways together. While Redis is away, full or read-only, each gateway counts for itself and
 * logs that once.
 */
export function redisCounter(url: string, log: Log): RequestCounter {
  const local = localCounter();
  const redis = new Redis(url, {
    connectTimeout: 1_000,
    commandTimeout: timeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
    reconnectOnError: hasBecomeReplica,
  });
  let problem: string | undefined = "Redis is not connected yet";
  /** Redis answers but does not count: it is full, or a replica. */
  let refuses = false;
  let leftAloneUntil = 0;
  const fails = (err: unknown): void => {
    leftAloneUntil = performance.now() + pauseMs;
    refuses = isReply(err);
    const what = refuses ? "Redis does not count" : "Redis is away";
    const message = `${what}, each gateway limits on its own: ${err instanceof Error ? err.message : err}`;
    if (problem === undefined) log.warn({ err }, message);
    problem = message;
  };
  const works = (): void => {
    refuses = false;
    if (problem !== undefined) log.info("rate limits are shared through Redis");
    problem = undefined;
  };
  // Without a listener ioredis would write each failed attempt to the console.
  redis.on("error", fails);
  // A new connection does not mean that Redis counts again.
  redis.on("ready", () => {
    if (!refuses) works();
  });

  return {
    get problem() {
      return problem;
    },
    async count(key, windowMs) {
      if (redis.status !== "ready" || performance.now() < leftAloneUntil) return local.count(key, windowMs);
      try {
        const answer = await redis.eval(increment, 1, `croupier:requests:${key}`, windowMs);
        works();
        const [current, ttl] = answer as [number, number]; // what the script returns
        return { current, ttl };
      } catch (err) {
        fails(err);
        return local.count(key, windowMs);
      }
    },
    close() {
      local.close();
      redis.disconnect();
    },
  };
}
