import { type ClientEvent, deadLetter, forward, later, type Outcome, type Step } from "../actor/step.ts";
import { type BetEvent, type DepositEvent, isMoney } from "../casino/event.ts";
import { amountEur, currencyProblem, fixedRate, marketCurrencies } from "../casino/money.ts";
import type { AppliedRate } from "../messages/envelope.ts";

/** One whole answer of the rates API. */
export interface RateSnapshot {
  /** Units of each currency per 1 EUR, as exact decimal text. */
  readonly rates: ReadonlyMap<string, string>;
  /** When the API was asked, in ms since the epoch. */
  readonly fetchedAt: number;
  /** Currencies that earlier answers had and the latest lack, and since when, in ms since the epoch: their events wait. */
  readonly missing: ReadonlyMap<string, number>;
}

/** What this step needs from outside. */
export interface Rates {
  /** The newest snapshot, never older than 60 s. Rejects when there is none within this many ms. */
  current(signal: AbortSignal, withinMs: number): Promise<RateSnapshot>;
}

/** How long a batch waits for rates before it puts off the events that need one: the others wait with them. */
const patienceMs = 3_000;

/** Adds `amount_eur` to bets and deposits. While rates are away only the events that need one wait. */
export function currency(rates: Rates): Step {
  return {
    name: "currency",
    forwardsTo: "priced",
    async enrich(batch, { signal }) {
      const snapshot = batch.some(needsRate)
        ? await rates.current(signal, patienceMs).catch(asProblem)
        : "no rate is needed";
      const at = typeof snapshot === "string" ? "" : new Date(snapshot.fetchedAt).toISOString();
      return batch.map((item) => price(item, snapshot, at));
    },
  };
}

/** Whether pricing the event takes a rate; false also where no rate could help. */
function needsRate({ event }: ClientEvent): boolean {
  return isMoney(event) && marketCurrencies.has(event.currency);
}

/**
 * @param snapshot the rates, or why there are none
 * @param at the time of the rates
 */
function price({ event }: ClientEvent, snapshot: RateSnapshot | string, at: string): Outcome {
  if (!isMoney(event)) return forward(event);
  if (event.currency === "EUR") return forward({ ...event, amount_eur: event.amount });
  const problem = currencyProblem(event.currency, event.created_at);
  if (problem !== undefined) return deadLetter("unsupported_currency", `/currency ${problem}`);
  const fixed = fixedRate(event.currency);
  if (fixed !== undefined) return convert(event, { value: fixed.rate, at: fixed.until });
  if (typeof snapshot === "string") return later(snapshot);
  const rate = snapshot.rates.get(event.currency);
  const missingSince = snapshot.missing.get(event.currency);
  if (rate === undefined && missingSince !== undefined)
    return later(
      `the rates API has no rate for ${event.currency} since ${new Date(missingSince).toISOString()}`,
    );
  if (rate === undefined)
    return deadLetter("unsupported_currency", `/currency the rates API has no rate for ${event.currency}`);
  return convert(event, { value: rate, at });
}

function convert(event: BetEvent | DepositEvent, rate: AppliedRate): Outcome {
  const cents = amountEur(event.amount, event.currency, rate.value);
  return cents === undefined
    ? deadLetter("invalid_event", `/amount in EUR is above ${Number.MAX_SAFE_INTEGER} cents`)
    : forward({ ...event, amount_eur: cents }, rate);
}

function asProblem(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
