import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../log.ts";
import { RatesError } from "./answer.ts";
import type { FetchRates } from "./api.ts";
import type { Lease, RatesLock } from "./lock.ts";
import type { Memo } from "./memo.ts";
import { outage } from "./outage.ts";
import { isFresh, type RateSheet, sheetMaxAge } from "./sheet.ts";

export interface Rates {
  /**
   * The newest sheet, never older than 60 s by its `fetchedAt`. Rejects when none can be had now, with `RatesError`,
   * with the signal's reason, or with a `TimeoutError` after `withinMs`; the caller retries with a back-off. Concurrent
   * calls share one flight, which a single caller does not end.
   */
  current(signal: AbortSignal, withinMs?: number): Promise<RateSheet>;
  /** Why the last attempt to get rates failed; undefined when it succeeded or none was needed yet. Asks nobody. */
  problem(): string | undefined;
  /** Ends a flight under way and gives its lock back; later calls reject. Leaves memo and lock open. */
  close(): Promise<void>;
}

export interface RatesOptions {
  readonly memo: Memo;
  readonly fetchRates: FetchRates;
  readonly lock: RatesLock;
  readonly log: Log;
  /** Epoch ms. */
  readonly now?: () => number;
  /** How often, in ms, one who waits for the lock's holder tries to get the lock; 500 ms by default. */
  readonly retryLockEvery?: number;
  /** How long, in ms, to wait for the lock's holder; 6 s by default, more than the holder's request may take. */
  readonly patience?: number;
  /** For how many ms after a failure the same failure is the answer; 1 s by default. */
  readonly failureMemory?: number;
}

/** An API that is away may fail in other ways before it is back; a reason may also hold a number that is always another. */
const mostReasons = 10;

/**
 * The rates of one process, which asks the API about once per 60 s together with all others that share its memo and
 * its lock. Without the lock it may ask at the same time as others, without the memo on its own; it fails only with the
 * API.
 */
export function createRates(options: RatesOptions): Rates {
  const { memo, fetchRates, lock, log, now = Date.now } = options;
  const { retryLockEvery = 500, patience = 6_000, failureMemory = 1_000 } = options;
  const memoAway = outage(log, "the memo of rates in NATS", "every process asks the rates API on its own");
  const apiAway = outage(log, "getting rates", "events that need one wait", mostReasons);
  const closing = new AbortController();
  let held: RateSheet | undefined;
  let failure: { readonly error: unknown; readonly at: number } | undefined;
  let flight: Promise<RateSheet> | undefined;

  const usable = (sheet: RateSheet | undefined): sheet is RateSheet =>
    sheet !== undefined && isFresh(sheet, now());

  /** What the memo says, or "away". */
  const recall = async (): Promise<RateSheet | undefined | "away"> => {
    try {
      const sheet = await memo.get();
      memoAway.over();
      return usable(sheet) ? sheet : undefined;
    } catch (error) {
      memoAway.began(error);
      return "away";
    }
  };

  const ask = async (): Promise<RateSheet> => {
    const fetchedAt = now();
    const sheet: RateSheet = { rates: await fetchRates(closing.signal), fetchedAt };
    if (!usable(sheet)) throw new RatesError(`the rates API took longer than ${sheetMaxAge / 1000} s`);
    // Also where reading it has just failed: one lost request must not make everybody ask.
    await memo.put(sheet).then(memoAway.over, memoAway.began);
    return sheet;
  };

  const askUnder = async (lease: Lease): Promise<RateSheet> => {
    try {
      // Between the last look at the memo and the lock its former holder may have put a sheet there.
      const known = await recall();
      return known === undefined || known === "away" ? await ask() : known;
    } finally {
      await lease.release();
    }
  };

  const waitForHolder = async (): Promise<RateSheet> => {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, closing.signal]);
    const handedOver = memo.next(usable, signal).catch((error: unknown) => {
      memoAway.began(error);
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

  const refresh = async (): Promise<RateSheet> => {
    const known = await recall();
    // Nothing could be handed over, so there is nothing to wait for.
    if (known === "away") return ask();
    if (known !== undefined) return known;
    const lease = await lock.acquire();
    return lease === undefined ? waitForHolder() : askUnder(lease);
  };

  const launch = async (): Promise<RateSheet> => {
    try {
      const sheet = await refresh();
      if (!usable(sheet)) throw new RatesError("the rates expired while they were on their way");
      held = sheet;
      failure = undefined;
      apiAway.over();
      return sheet;
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
      // Only now, as nearly every call has its answer by then.
      const patience =
        withinMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
      return unlessAborted(flight, patience);
    },
    problem: () => (failure?.error instanceof Error ? failure.error.message : undefined),
    async close() {
      closing.abort(new RatesError("the rates are closed"));
      await flight?.catch(() => {});
    },
  };
}

/** The promise's outcome, or the signal's reason as soon as it fires; the promise goes on. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
