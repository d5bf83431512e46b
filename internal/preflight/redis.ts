import { Redis } from "ioredis";
import { reasonOf, withoutPassword } from "../service/log.ts";
import { Refused } from "../service/unavailable.ts";
import type { Watcher } from "./attempt.ts";

const refusal = /^(?:NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR AUTH)/;

/** Tries Redis. Everything works without it, so it reports an absent one and does not wait. @throws Refused */
export async function tryRedis(url: string, { say, signal }: Watcher): Promise<void> {
  const where = `Redis at ${withoutPassword(url)}`;
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 3_000 });
  // What it says there the failed command says too.
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } catch (err) {
    signal.throwIfAborted();
    const why = reasonOf(err);
    if (refusal.test(why)) throw new Refused(`${where} refuses us: ${why}: check REDIS_URL`, { cause: err });
    say(`${where} is away (${why}): everything goes on without it, and takes it up once it answers`);
  } finally {
    redis.disconnect();
  }
}
