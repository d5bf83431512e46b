import { isRate } from "../casino/money.ts";

/** Units of each currency per 1 EUR, as the decimal text its source wrote: "1.0684", "1e-5". Always holds USD. */
export type RateTable = ReadonlyMap<string, string>;

/** No usable rates now; the message names what is wrong and never carries the access key. Events wait, none is at fault. */
export class RatesError extends Error {
  override readonly name = "RatesError";
}

/**
 * The rates in an answer of a rates API. Understands `{base, rates}`, `{base_code, rates}`, `{source, quotes}` with keys
 * such as "EURUSD", and `{data: {currency, rates}}`; rates are numbers or decimal strings and keep every digit.
 * Throws `RatesError` when it is none of these, when its base is not EUR, when USD is missing, or when any rate is not
 * finite and positive.
 */
export function parseAnswer(text: string): RateTable {
  return readTable(readJson(text));
}

/** JSON with every number as the text it was written in: 1.0684000000000000001 is not cut to a double. */
export function readJson(text: string): unknown {
  // TypeScript's library does not declare the third argument yet.
  const keepDigits = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value;
  try {
    return JSON.parse(text, keepDigits);
  } catch {
    throw new RatesError("the answer is not JSON");
  }
}

/** As `parseAnswer`, of what `readJson` has read. */
export function readTable(answer: unknown): RateTable {
  if (!isRecord(answer)) throw new RatesError("the answer is not a JSON object");
  refuseFailure(answer);
  const { base, rates } = shapeOf(answer);
  if (base === undefined) throw new RatesError("the answer does not say which base its rates have");
  if (base !== "EUR")
    throw new RatesError(`the answer's base is ${quoted(base)}, not EUR: ask for EUR in RATES_URL`);

  const table = new Map<string, string>();
  for (const [currency, rate] of rates) table.set(currency, readRate(currency, rate));
  if (!table.has("USD")) throw new RatesError("the answer has no rate for USD");
  const own = table.get("EUR");
  if (own !== undefined && Number(own) !== 1) throw new RatesError("the answer's rate for EUR is not 1");
  return table;
}

function refuseFailure(answer: Record<string, unknown>): void {
  if (answer.success !== false && answer.result !== "error") return;
  const kind = isRecord(answer.error) ? answer.error.type : answer["error-type"];
  // Only a code: the sentences beside it may repeat the request, and with it the key.
  const code = typeof kind === "string" && /^[a-z_-]{1,40}$/.test(kind) ? ` (${kind})` : "";
  throw new RatesError(`the answer reports a failure${code}`);
}

interface Shape {
  readonly base: unknown;
  readonly rates: readonly (readonly [string, unknown])[];
}

function shapeOf(answer: Record<string, unknown>): Shape {
  if (isRecord(answer.data))
    return { base: answer.data.currency, rates: entries(answer.data.rates, "data.rates") };
  if (answer.quotes !== undefined) {
    const base = answer.source;
    const quotes = entries(answer.quotes, "quotes");
    return { base, rates: quotes.map(([pair, rate]) => [quotedCurrency(pair, base), rate]) };
  }
  if (answer.rates !== undefined) {
    return { base: answer.base ?? answer.base_code, rates: entries(answer.rates, "rates") };
  }
  throw new RatesError("the answer holds no rates");
}

function entries(rates: unknown, where: string): [string, unknown][] {
  if (!isRecord(rates)) throw new RatesError(`the answer's ${where} is not an object`);
  return Object.entries(rates);
}

function quotedCurrency(pair: string, base: unknown): string {
  if (typeof base === "string" && pair.startsWith(base) && pair.length > base.length)
    return pair.slice(base.length);
  throw new RatesError(`the answer's quote ${quoted(pair)} does not begin with its source`);
}

function readRate(currency: string, rate: unknown): string {
  if (typeof rate === "string" && isRate(rate)) return rate;
  throw new RatesError(`the answer's rate for ${quoted(currency)} is not a finite, positive number`);
}

function quoted(code: unknown): string {
  return typeof code === "string" && /^[A-Za-z0-9]{1,12}$/.test(code) ? code : "unreadable";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
