import { type Answer, RatesError, readAnswer, readJson } from "./answer.ts";

/** One whole answer of the rates API. `fetchedAt` is the start of its request in epoch ms. */
export interface RateSnapshot extends Answer {
  readonly fetchedAt: number;
  /** Currencies that answers had and now lack, and since when, in epoch ms: their events wait for a day. */
  readonly missing: ReadonlyMap<string, number>;
}

/** Up to which age a snapshot may be used, in ms. */
export const snapshotMaxAge = 60_000;

// How far the clocks of two well-kept machines may differ.
const clockTolerance = 5_000;

/**
 * Whether a snapshot may be used at `now` (epoch ms). One from the future may not: with a clock that is or was ahead, it
 * would look fresh for longer than `snapshotMaxAge`.
 */
export function isFresh(snapshot: RateSnapshot, now: number): boolean {
  const age = now - snapshot.fetchedAt;
  return age < snapshotMaxAge && age >= -clockTolerance;
}

/** A snapshot as text, for other processes. */
export function encodeSnapshot({ rates, leftOut, asOf, fetchedAt, missing }: RateSnapshot): string {
  return JSON.stringify({
    fetched_at: new Date(fetchedAt).toISOString(),
    base: "EUR",
    rates: Object.fromEntries(rates),
    ...(leftOut.length === 0 ? {} : { left_out: leftOut }),
    ...(asOf === undefined ? {} : { date: new Date(asOf).toISOString() }),
    ...(missing.size === 0 ? {} : { missing: Object.fromEntries(missing) }),
  });
}

/** The reverse. Throws `RatesError` for anything that `encodeSnapshot` does not write: anybody may write to a bucket. */
export function decodeSnapshot(text: string): RateSnapshot {
  const json = readJson(text);
  const answer = readAnswer(json);
  const { fetched_at, left_out, missing = {} } = Object(json) as Readonly<Record<string, unknown>>; // readAnswer has seen an object
  const fetchedAt = typeof fetched_at === "string" ? Date.parse(fetched_at) : Number.NaN;
  if (Number.isNaN(fetchedAt)) throw new RatesError("the snapshot does not say when its rates were fetched");
  const since = Object.entries(Object(missing)).map(([code, time]) => [code, Number(time)] as const);
  if (since.some(([, time]) => Number.isNaN(new Date(time).getTime())))
    throw new RatesError("the snapshot does not say since when currencies are missing");
  const leftOut = Array.isArray(left_out) ? left_out.map(String) : [];
  return { ...answer, leftOut, fetchedAt, missing: new Map(since) };
}
