import { sql, type Transaction } from "kysely";
import type { Database } from "../postgres/connect.ts";
import { deleteExpired } from "../postgres/delete-expired.ts";
import type { Schema } from "../postgres/schema.ts";
import type { Log } from "../service/log.ts";

/** An arbitrary number, the same in every archiver: the holder of its lock deletes. */
const lockKey = 4_862_090_311;
const longestGapMs = 60_000;
const shortestGapMs = 1_000;

interface RetentionOptions {
  /** How long an event is kept after CASINO_EVENTS stored it, in ms. */
  readonly retentionMs: number;
  readonly log: Log;
  /** Ends the deletions. */
  readonly signal: AbortSignal;
}

/** Deletes expired events until the signal. Never rejects: what cannot be deleted now is deleted later. */
export function keepFor(db: Database, { retentionMs, log, signal }: RetentionOptions): Promise<void> {
  return deleteExpired({
    what: "events",
    deleteBatch: async (limit) => (await deleteOlderThan(db, retentionMs, limit, signal)) ?? 0,
    gapMs: Math.min(longestGapMs, Math.max(shortestGapMs, retentionMs / 10)),
    log,
    signal,
  });
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
