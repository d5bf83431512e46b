import { setTimeout as sleep } from "node:timers/promises";
import { sql, type Transaction } from "kysely";
import type { Database } from "../postgres/connect.ts";
import type { Schema } from "../postgres/schema.ts";
import type { Log } from "../service/log.ts";

/** Rows of one delete: it holds their locks, and the connection, for some ten milliseconds. */
const batchSize = 1_000;
/** An arbitrary number, the same in every archiver: the holder of its lock deletes. */
const lockKey = 4_862_090_311;
const longestGapMs = 60_000;
const shortestGapMs = 1_000;

export interface RetentionOptions {
  /** How long an event is kept after CASINO_EVENTS stored it, in ms. */
  readonly retentionMs: number;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Deletes expired events again and again until the signal, in batches, with pauses as long as the batches so that others
 * get the database. Never rejects: what cannot be deleted now is deleted later.
 */
export async function keepFor(db: Database, { retentionMs, log, signal }: RetentionOptions): Promise<void> {
  const gapMs = Math.min(longestGapMs, Math.max(shortestGapMs, retentionMs / 10));
  while (!signal.aborted) {
    let deleted = 0;
    try {
      for (let batch = batchSize; batch === batchSize && !signal.aborted; ) {
        const started = performance.now();
        batch = (await deleteOlderThan(db, retentionMs, batchSize, signal)) ?? 0;
        deleted += batch;
        await pause(performance.now() - started, signal);
      }
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, "old events cannot be deleted now");
    }
    if (deleted > 0) log.info({ deleted }, "deleted old events");
    await pause(gapMs, signal);
  }
}

/**
 * Deletes at most `limit` expired events, oldest first. They expire by the time at which the stream stored them and by
 * Postgres' clock: `created_at` is the producer's claim and may be any year.
 * @returns how many; undefined when another archiver is deleting
 */
export function deleteOlderThan(
  db: Database,
  retentionMs: number,
  limit: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  return db.transaction().execute((transaction) => deleteBatch(transaction, retentionMs, limit, signal));
}

/** One batch. Its lock lasts until the end of the transaction, however that ends. */
export async function deleteBatch(
  transaction: Transaction<Schema>,
  retentionMs: number,
  limit: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const lock = sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${lockKey}::bigint) as mine`;
  const { rows } = await lock.execute(transaction, { signal });
  if (rows[0]?.mine !== true) return undefined;
  const { numAffectedRows } = await sql`
    delete from events where ctid = any (array(
      select ctid from events
      where stored_at < now() - ${retentionMs}::float8 * interval '1 millisecond'
      order by stored_at limit ${limit}))`.execute(transaction, { signal });
  return Number(numAffectedRows ?? 0);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
