import { type ClientEvent, deadLetter, forward, later, type Outcome, type Step } from "../actor/step.ts";
import { isMoney } from "../casino/event.ts";
import { amountEur, minorUnits } from "../casino/money.ts";

/** One whole answer of the rates API. */
export interface RateSheet {
  /** Units of each currency per 1 EUR, as exact decimal text. */
  readonly rates: ReadonlyMap<string, string>;
  /** When the API was asked, in ms since the epoch. */
  readonly fetchedAt: number;
}

/** What this step needs of the world. */
export interface Rates {
  /** The newest sheet, never older than 60 s. Rejects when none can be had within so many ms. */
  current(signal: AbortSignal, withinMs: number): Promise<RateSheet>;
}

/** How long a batch waits for rates before its events that need one are put off: the others of the batch wait with them. */
const patienceMs = 3_000;

/** Adds `amount_eur` to bets and deposits. While rates are away only the events that need one wait. */
export function currency(rates: Rates): Step {
  return {
    name: "currency",
    forwardsTo: "priced",
    async enrich(batch, { signal }) {
      const sheet = batch.some(needsRate)
        ? await rates.current(signal, patienceMs).catch(asProblem)
        : "no rate is needed";
      return batch.map((item) => price(item, sheet));
    },
  };
}

/** Whether it takes a rate to price the event; false also where no rate could help. */
function needsRate({ event }: ClientEvent): boolean {
  return isMoney(event) && event.currency !== "EUR" && minorUnits(event.currency) !== undefined;
}

/** @param sheet the rates, or why there are none */
function price(item: ClientEvent, sheet: RateSheet | string): Outcome {
  const { event } = item;
  if (!isMoney(event)) return forward(event);
  if (event.currency === "EUR") return forward({ ...event, amount_eur: event.amount });
  if (!needsRate(item))
    return deadLetter("unsupported_currency", `/currency ${event.currency} is not in use (ISO 4217)`);
  if (typeof sheet === "string") return later(sheet);
  const rate = sheet.rates.get(event.currency);
  if (rate === undefined)
    return deadLetter("unsupported_currency", `/currency the rates API has no rate for ${event.currency}`);
  const cents = amountEur(event.amount, event.currency, rate);
  if (cents === undefined)
    return deadLetter("invalid_event", `/amount in EUR is above ${Number.MAX_SAFE_INTEGER} cents`);
  return forward(
    { ...event, amount_eur: cents },
    { value: rate, at: new Date(sheet.fetchedAt).toISOString() },
  );
}

function asProblem(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
