import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../service/log.ts";
import { unlessAborted } from "../service/unless-aborted.ts";
import { RatesError } from "./answer.ts";
import type { FetchRates } from "./api.ts";
import type { CurrencyMemory } from "./currencies.ts";
import type { Lease, RatesLock } from "./lock.ts";
import { outage } from "./outage.ts";
import type { RateCache } from "./rate-cache.ts";
import { isFresh, type RateSnapshot, snapshotMaxAge } from "./rate-snapshot.ts";
import { RateWarnings } from "./warnings.ts";

export interface Rates {
  /**
   * The newest snapshot, never older than 60 s by its `fetchedAt`. Rejects when there is none, with `RatesError`, with
   * the signal's reason, or with a `TimeoutError` after `withinMs`; the caller retries with a back-off. Concurrent calls
   * share one attempt, which a single caller does not end.
   */
  current(signal: AbortSignal, withinMs?: number): Promise<RateSnapshot>;
  /** Why the last attempt failed; undefined when it succeeded or none was made yet. Makes no request. */
  problem(): string | undefined;
  /** When the newest snapshot was requested, epoch ms; undefined before the first. It ages while nobody needs a rate. */
  fetchedAt(): number | undefined;
  /** What looks wrong about the newest rates, which are used all the same, one sentence each. Makes no request. */
  warnings(): readonly string[];
  /** Ends a running attempt and releases its lock; later calls reject. Leaves cache and lock open. */
  close(): Promise<void>;
}

/** For how many ms after a failure it is repeated as the answer. */
const failureMemory = 1_000;

export interface RatesOptions {
  readonly cache: RateCache;
  readonly currencies: CurrencyMemory;
  readonly fetchRates: FetchRates;
  readonly lock: RatesLock;
  readonly log: Log;
  readonly now?: () => number;
  /** How often, in ms, a process that waits for the lock's holder tries to get the lock; default 500 ms. */
  readonly retryLockEvery?: number;
  /** How long, in ms, to wait for the lock's holder; default 6 s, more than the holder's request may take. */
  readonly patience?: number;
}

/** An API that is away may fail in several ways; a reason may also contain a number that always differs. */
const mostReasons = 10;

/**
 * The rates of one process. All processes that share its cache and its lock together ask the API about once per 60 s.
 * Without the lock several may ask at once, without the cache each asks for itself; only without the API does it fail.
 */
export function createRates(options: RatesOptions): Rates {
  const { cache, currencies, fetchRates, lock, log, now = Date.now } = options;
  const { retryLockEvery = 500, patience = 6_000 } = options;
  const cacheAway = outage(log, "the cache of rates in NATS", "every process asks the rates API on its own");
  const apiAway = outage(log, "getting rates", "events that need one wait", mostReasons);
  const warnings = new RateWarnings(log);
  const closing = new AbortController();
  let held: RateSnapshot | undefined;
  let failure: { readonly error: unknown; readonly at: number } | undefined;
  let flight: Promise<RateSnapshot> | undefined;

  const usable = (snapshot: RateSnapshot | undefined): snapshot is RateSnapshot =>
    snapshot !== undefined && isFresh(snapshot, now());

  /** What the cache has, or "away". */
  const recall = async (): Promise<RateSnapshot | undefined | "away"> => {
    try {
      const snapshot = await cache.get();
      cacheAway.over();
      return usable(snapshot) ? snapshot : undefined;
    } catch (error) {
      cacheAway.began(error);
      return "away";
    }
  };

  const ask = async (): Promise<RateSnapshot> => {
    const fetchedAt = now();
    const answer = await fetchRates(closing.signal);
    const missing = await currencies.note(answer, fetchedAt);
    const snapshot: RateSnapshot = { ...answer, missing, fetchedAt };
    if (!usable(snapshot)) throw new RatesError(`the rates API took longer than ${snapshotMaxAge / 1000} s`);
    // Even when reading it has just failed: one lost request must not make everybody ask.
    await cache.put(snapshot).then(cacheAway.over, cacheAway.began);
    return snapshot;
  };

  const askUnder = async (lease: Lease): Promise<RateSnapshot> => {
    try {
      // Between the last look at the cache and the lock, its former holder may have stored a snapshot.
      const known = await recall();
      return known === undefined || known === "away" ? await ask() : known;
    } finally {
      await lease.release();
    }
  };

  const waitForHolder = async (): Promise<RateSnapshot> => {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, closing.signal]);
    const handedOver = cache.next(usable, signal).catch((error: unknown) => {
      cacheAway.began(error);
      return undefined;
    });
    const deadline = performance.now() + patience;
    try {
      while (performance.now() < deadline) {
        const first = await Promise.race([handedOver, sleep(retryLockEvery, "again" as const, { signal })]);
        if (first === undefined) return await ask();
        if (first !== "again") return first;
        const lease = await lock.acquire();
        if (lease !== undefined) return await askUnder(lease);
      }
      throw new RatesError(
        `another process is asking the rates API and had no answer within ${patience / 1000} s`,
      );
    } finally {
      done.abort();
    }
  };

  const refresh = async (): Promise<RateSnapshot> => {
    const known = await recall();
    // Nothing could be shared, so there is nothing to wait for.
    if (known === "away") return ask();
    if (known !== undefined) return known;
    const lease = await lock.acquire();
    return lease === undefined ? waitForHolder() : askUnder(lease);
  };

  const launch = async (): Promise<RateSnapshot> => {
    try {
      const snapshot = await refresh();
      if (!usable(snapshot)) throw new RatesError("the rates expired while they were on their way");
      held = snapshot;
      failure = undefined;
      warnings.update(snapshot);
      apiAway.over();
      return snapshot;
    } catch (error) {
      closing.signal.throwIfAborted();
      failure = { error, at: now() };
      apiAway.began(error);
      throw error;
    } finally {
      flight = undefined;
    }
  };

  const recentFailure = () => {
    const age = failure === undefined ? Number.NaN : now() - failure.at;
    return age >= 0 && age < failureMemory ? failure : undefined;
  };

  return {
    async current(signal, withinMs) {
      signal.throwIfAborted();
      closing.signal.throwIfAborted();
      if (usable(held)) return held;
      const recent = recentFailure();
      if (recent !== undefined) throw recent.error;
      flight ??= launch();
      // Only now, because by then nearly every call has its answer.
      const patience =
        withinMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
      return unlessAborted(flight, patience);
    },
    problem: () => (failure?.error instanceof Error ? failure.error.message : undefined),
    fetchedAt: () => held?.fetchedAt,
    warnings: () => warnings.current,
    async close() {
      closing.abort(new RatesError("the rates are closed"));
      await flight?.catch(() => {});
    },
  };
}
