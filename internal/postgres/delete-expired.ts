import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../service/log.ts";

/** Rows of one delete: it holds their locks, and the connection, for some ten milliseconds. */
const batchSize = 1_000;
const usualGapMs = 60_000;

interface ExpiryOptions {
  /** What expires, for the log, as in "events". */
  readonly what: string;
  /** Deletes at most so many of what has expired, and says how many those were. */
  readonly deleteBatch: (limit: number) => Promise<number>;
  /** How long to wait once nothing is left that has expired, in ms. Default: a minute. */
  readonly gapMs?: number;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Deletes what has expired, again and again until the signal, in batches, with pauses as long as the batches so that others get
 * the database. Never rejects: what cannot be deleted now is deleted later.
 */
export async function deleteExpired(options: ExpiryOptions): Promise<void> {
  const { what, deleteBatch, gapMs = usualGapMs, log, signal } = options;
  while (!signal.aborted) {
    let deleted = 0;
    try {
      for (let batch = batchSize; batch === batchSize && !signal.aborted; ) {
        const began = performance.now();
        batch = await deleteBatch(batchSize);
        deleted += batch;
        await pause(performance.now() - began, signal);
      }
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, `old ${what} cannot be deleted now`);
    }
    if (deleted > 0) log.info({ deleted }, `deleted old ${what}`);
    await pause(gapMs, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
