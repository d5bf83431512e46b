import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../postgres/connect.ts";
import type { Log } from "../service/log.ts";
import { deleteDeliveriesOlderThan } from "../webhooks/deliveries.ts";

/** Rows of one delete: it holds their locks, and the connection, for some ten milliseconds. */
const batchSize = 1_000;
const gapMs = 60_000;

/**
 * Deletes recorded attempts that have been kept for long enough, again and again until the signal, in batches with pauses in
 * which others have the database. Never rejects: what cannot be deleted now is deleted later. Several may do so at once.
 */
export async function keepDeliveriesFor(
  db: Database,
  {
    retentionMs,
    log,
    signal,
  }: { readonly retentionMs: number; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    let deleted = 0;
    try {
      for (let batch = batchSize; batch === batchSize && !signal.aborted; ) {
        const began = performance.now();
        batch = await deleteDeliveriesOlderThan(db, retentionMs, batchSize, signal);
        deleted += batch;
        await pause(performance.now() - began, signal);
      }
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, "old deliveries cannot be deleted now");
    }
    if (deleted > 0) log.info({ deleted }, "deleted old deliveries");
    await pause(gapMs, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
