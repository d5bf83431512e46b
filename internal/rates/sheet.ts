import { RatesError, type RateTable, readJson, readTable } from "./answer.ts";

/** One whole answer of the rates API, and when it was asked: `fetchedAt` is the start of the request in epoch ms. */
export interface RateSheet {
  readonly rates: RateTable;
  readonly fetchedAt: number;
}

/** How old a sheet may be used, in ms. */
export const sheetMaxAge = 60_000;

// What the clocks of two well-kept machines may differ by.
const clockTolerance = 5_000;

/**
 * Whether a sheet may be used at `now` (epoch ms). One from the future is not: by a clock that is ahead, or was when it
 * wrote, it would look young for longer than `sheetMaxAge`.
 */
export function isFresh(sheet: RateSheet, now: number): boolean {
  const age = now - sheet.fetchedAt;
  return age < sheetMaxAge && age >= -clockTolerance;
}

/** The sheet as the text that processes hand to each other. */
export function encodeSheet(sheet: RateSheet): string {
  return JSON.stringify({
    fetched_at: new Date(sheet.fetchedAt).toISOString(),
    base: "EUR",
    rates: Object.fromEntries(sheet.rates),
  });
}

/** The reverse. Throws `RatesError` for what `encodeSheet` would not have written: anybody may write to a bucket. */
export function decodeSheet(text: string): RateSheet {
  const json = readJson(text);
  const rates = readTable(json);
  const fetchedAt =
    typeof json === "object" && json !== null && "fetched_at" in json ? json.fetched_at : undefined;
  const time = typeof fetchedAt === "string" ? Date.parse(fetchedAt) : Number.NaN;
  if (Number.isNaN(time)) throw new RatesError("the sheet does not say when its rates were fetched");
  return { rates, fetchedAt: time };
}
