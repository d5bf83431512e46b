import { casinoTypes } from "../casino/event.ts";

const usualCurrencies: readonly string[] = ["EUR", "USD", "GBP", "NZD", "BTC"];
const winShare = 0.05;

/** Largest random amount, in the smallest unit: up to 1000.00 of a currency, up to 0.05 BTC. */
const maxAmount = (currency: string): number => (currency === "BTC" ? 5_000_000 : 100_000);

/**
 * Makes events without end, ids from 1.
 * @param random numbers in [0, 1); a seeded one makes the same events again, but for `now`
 * @param now gives `created_at`
 */
export type MakeEvents = (random: () => number, now: () => Date) => Generator<Record<string, unknown>, never>;

/**
 * Random events of a casino, without end: players 10 to 19 (of whom 10 to 14 are known), games 100 to 109, ids from 1.
 * Each has the keys of its type; zero amounts and lost bets leave theirs out, as producers do.
 * @param random numbers in [0, 1); a seeded one makes the same events again, but for `now`
 * @param now gives `created_at`
 * @param only events of this type, and amounts in these currencies
 */
export function* randomEvents(
  random: () => number,
  now: () => Date,
  {
    type,
    currencies = usualCurrencies,
  }: { readonly type?: (typeof casinoTypes)[number]; readonly currencies?: readonly string[] } = {},
): Generator<Record<string, unknown>, never> {
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const pick = <T>(list: readonly [T, ...T[]]): T => list[between(0, list.length - 1)] ?? list[0];
  for (let id = 1; ; id++) {
    const kind = type ?? pick(casinoTypes);
    const event: Record<string, unknown> = { id, player_id: between(10, 19) };
    if (kind !== "deposit") event.game_id = between(100, 109);
    event.type = kind;
    if (kind === "bet" || kind === "deposit") {
      const currency = currencies[between(0, currencies.length - 1)] ?? "EUR";
      const amount = between(0, maxAmount(currency));
      if (amount > 0) event.amount = amount;
      event.currency = currency;
    }
    if (kind === "bet" && random() < winShare) event.has_won = true;
    event.created_at = now().toISOString();
    yield event;
  }
}
