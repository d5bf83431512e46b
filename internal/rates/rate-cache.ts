import { jetstream } from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "nats";
import { openBucket } from "../jetstream/bucket.ts";
import { type Log, reasonOf } from "../service/log.ts";
import { decodeSnapshot, encodeSnapshot, type RateSnapshot, snapshotMaxAge } from "./rate-snapshot.ts";

/** Where processes share the newest snapshot. It ignores age, which `fetchedAt` tells. */
export type RateCache = ReturnType<typeof kvRateCache>;

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
 * may do so at once. Everything here rejects when the store is out of reach.
 */
export function kvRateCache(nc: NatsConnection, options: KvRateCacheOptions) {
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
    /** The cached snapshot; undefined when there is none or it is unreadable. */
    get: () => withBucket(async (kv) => read(await kv.get(key))),
    put: (snapshot: RateSnapshot) =>
      withBucket(async (kv) => {
        await kv.put(key, encodeSnapshot(snapshot));
      }),
    /** The first snapshot that is `wanted`, the one kept now included; undefined once the signal fires. */
    next: (wanted: (snapshot: RateSnapshot) => boolean, signal: AbortSignal) =>
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
