import { type Answer, RatesError, readAnswer, readJson } from "./answer.ts";

/** One whole answer of the rates API, and when it was asked: `fetchedAt` is the start of the request in epoch ms. */
export interface RateSnapshot extends Answer {
  readonly fetchedAt: number;
  /** Since when, in epoch ms, answers lack a currency that they had: for a day its events wait. */
  readonly missing: ReadonlyMap<string, number>;
}

/** How old a snapshot may be used, in ms. */
export const snapshotMaxAge = 60_000;

// What the clocks of two well-kept machines may differ by.
const clockTolerance = 5_000;

/**
 * Whether a snapshot may be used at `now` (epoch ms). One from the future is not: by a clock that is ahead, or was when it
 * wrote, it would look young for longer than `snapshotMaxAge`.
 */
export function isFresh(snapshot: RateSnapshot, now: number): boolean {
  const age = now - snapshot.fetchedAt;
  return age < snapshotMaxAge && age >= -clockTolerance;
}

/** The snapshot as the text that processes hand to each other. */
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

/** The reverse. Throws `RatesError` for what `encodeSnapshot` would not have written: anybody may write to a bucket. */
export function decodeSnapshot(text: string): RateSnapshot {
  const json = readJson(text);
  const answer = readAnswer(json);
  const { fetched_at, left_out, missing = {} } = Object(json) as Readonly<Record<string, unknown>>; // readAnswer has seen an object
  const fetchedAt = typeof fetched_at === "string" ? Date.parse(fetched_at) : Number.NaN;
  if (Number.isNaN(fetchedAt)) throw new RatesError("the snapshot does not say when its rates were fetched");
  const since = Object.entries(Object(missing)).map(([code, time]) => [code, Number(time)] as const);
  const leftOut = Array.isArray(left_out) ? left_out.map(String) : [];
  return { ...answer, leftOut, fetchedAt, missing: new Map(since) };
}
