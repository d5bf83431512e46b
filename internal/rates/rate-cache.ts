import { jetstream } from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "nats";
import { openBucket } from "../jetstream/bucket.ts";
import type { Log } from "../service/log.ts";
import { decodeSnapshot, encodeSnapshot, type RateSnapshot, snapshotMaxAge } from "./rate-snapshot.ts";

/** Where the processes hand each other the newest snapshot. Says nothing of age: that is judged by `fetchedAt`. */
export interface RateCache {
  /** The snapshot kept there; undefined when there is none or it cannot be read. Rejects when the store is out of reach. */
  get(): Promise<RateSnapshot | undefined>;
  /** Replaces what is kept. Rejects when the store is out of reach. */
  put(snapshot: RateSnapshot): Promise<void>;
  /**
   * The first snapshot that is `wanted`, the one kept now included; undefined once the signal fires. Rejects when the store
   * is out of reach.
   */
  next(wanted: (snapshot: RateSnapshot) => boolean, signal: AbortSignal): Promise<RateSnapshot | undefined>;
}

export interface KvRateCacheOptions {
  readonly log: Log;
  readonly replicas: number;
  /** Bound in ms on each request to the bucket; 2 s by default. */
  readonly timeout?: number;
}

const bucketName = "casino_rates";
const key = "EUR";
const maxBytes = 8 * 1024 * 1024;

/**
 * The cache in the NATS KV bucket `casino_rates`, which is made when missing and brought to `replicas` when it has
 * another number; any number of processes may do so at once. `ready` does it ahead of the first use and rejects when it
 * cannot be done.
 */
export function kvRateCache(
  nc: NatsConnection,
  options: KvRateCacheOptions,
): RateCache & { ready(): Promise<void> } {
  const { log, replicas, timeout = 2_000 } = options;
  const js = jetstream(nc, { timeout });
  let opening: Promise<KV> | undefined;

  /** Forgets the bucket when work on it failed, so that one deleted meanwhile is made anew. */
  const withBucket = async <T>(work: (kv: KV) => Promise<T>): Promise<T> => {
    opening ??= openBucket(js, bucketName, {
      description: "one answer of the rates API, for a minute",
      replicas,
      ttl: snapshotMaxAge,
      maxBytes,
    });
    const mine = opening;
    try {
      return await work(await mine);
    } catch (error) {
      if (opening === mine) opening = undefined;
      throw error;
    }
  };

  const read = (entry: KvEntry | null): RateSnapshot | undefined => {
    if (entry?.operation !== "PUT") return undefined;
    try {
      return decodeSnapshot(entry.string());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ reason, revision: entry.revision }, `the entry in ${bucketName} cannot be used`);
      return undefined;
    }
  };

  return {
    ready: () => withBucket(async () => {}),
    get: () => withBucket(async (kv) => read(await kv.get(key))),
    put: (snapshot) =>
      withBucket(async (kv) => {
        await kv.put(key, encodeSnapshot(snapshot));
      }),
    next: (wanted, signal) =>
      withBucket(async (kv) => {
        const watch = await kv.watch({ key });
        const stop = () => watch.stop();
        signal.addEventListener("abort", stop);
        if (signal.aborted) stop();
        try {
          for await (const entry of watch) {
            const snapshot = read(entry);
            if (snapshot !== undefined && wanted(snapshot)) return snapshot;
          }
          if (signal.aborted) return undefined;
          throw new Error(`the watch of the bucket ${bucketName} ended`);
        } finally {
          signal.removeEventListener("abort", stop);
          stop();
        }
      }),
  };
}
