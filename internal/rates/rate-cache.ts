import { jetstream } from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "nats";
import { openBucket } from "../jetstream/bucket.ts";
import { type Log, reasonOf } from "../service/log.ts";
import { decodeSnapshot, encodeSnapshot, type RateSnapshot, snapshotMaxAge } from "./rate-snapshot.ts";

/** Where processes share the newest snapshot. It ignores age, which `fetchedAt` tells. */
export interface RateCache {
  /** The cached snapshot; undefined when there is none or it is unreadable. Rejects when the store is out of reach. */
  get(): Promise<RateSnapshot | undefined>;
  /** Replaces the cached snapshot. Rejects when the store is out of reach. */
  put(snapshot: RateSnapshot): Promise<void>;
  /**
   * The first snapshot that is `wanted`, the one kept now included; undefined once the signal fires. Rejects when the store
   * is out of reach.
   */
  next(wanted: (snapshot: RateSnapshot) => boolean, signal: AbortSignal): Promise<RateSnapshot | undefined>;
}

interface KvRateCacheOptions {
  readonly log: Log;
  readonly replicas: number;
  /** Limit in ms on each request to the bucket; default 2 s. */
  readonly timeout?: number;
}

const bucketName = "casino_rates";
const key = "EUR";
const maxBytes = 8 * 1024 * 1024;

/**
 * The cache in the NATS KV bucket `casino_rates`, created when missing and updated to `replicas`. Any number of processes
 * may do so at once. `ready` does it before the first use and rejects when it cannot.
 */
export function kvRateCache(
  nc: NatsConnection,
  options: KvRateCacheOptions,
): RateCache & { ready(): Promise<void> } {
  const { log, replicas, timeout = 2_000 } = options;
  const js = jetstream(nc, { timeout });
  let opening: Promise<KV> | undefined;

  /** Forgets the bucket after a failure, so that a deleted one is recreated. */
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
      const reason = reasonOf(error);
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
