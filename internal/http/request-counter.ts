import { isReply, RedisConnection } from "../redis/connect.ts";
import { type Log, reasonOf } from "../service/log.ts";

/** Counts the requests of each key within a time window. */
export interface RequestCounter {
  /** Counts one more. @returns the count in the current window, and how long the window still lasts, in ms */
  count(key: string, windowMs: number): Promise<Count>;
  /** Undefined while it counts for all gateways together, else a sentence. */
  readonly problem: string | undefined;
  close(): Promise<void> | void;
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
  let problem: string | undefined = "Redis is not connected yet";
  let leftAloneUntil = 0;
  const onFailure = (err: unknown): void => {
    leftAloneUntil = performance.now() + pauseMs;
    const what = isReply(err) ? "Redis does not count" : "Redis is away";
    const message = `${what}, each gateway limits on its own: ${reasonOf(err)}`;
    if (problem === undefined) log.warn({ err }, message);
    problem = message;
  };
  const onSuccess = (): void => {
    if (problem !== undefined) log.info("rate limits are shared through Redis");
    problem = undefined;
  };
  const redis = new RedisConnection(url, { timeoutMs, onFailure, onSuccess });

  return {
    get problem() {
      return problem;
    },
    async count(key, windowMs) {
      if (redis.client.status !== "ready" || performance.now() < leftAloneUntil)
        return local.count(key, windowMs);
      try {
        const script = redis.client.eval(increment, 1, `croupier:requests:${key}`, windowMs);
        const answer = await redis.watched(script);
        const [current, ttl] = answer as [number, number]; // what the script returns
        return { current, ttl };
      } catch {
        return local.count(key, windowMs);
      }
    },
    close: () => redis.close(),
  };
}
