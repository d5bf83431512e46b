import { isRate, marketCurrencies } from "../casino/money.ts";
import { isObject, parseWithDigits } from "../service/json.ts";
import { oldestDate } from "./answer-date.ts";

/** Units of each currency per 1 EUR, as the decimal text its source wrote: "1.0684", "1e-5". Always holds USD. */
export type RateTable = ReadonlyMap<string, string>;

/** There are no usable rates now. The message says what is wrong and never contains the access key. Events wait. */
export class RatesError extends Error {
  override readonly name = "RatesError";
}

/** The usable part of a rates API's answer. */
export interface Answer {
  readonly rates: RateTable;
  /** Currencies whose rate is unusable: treated as absent. */
  readonly leftOut: readonly string[];
  /** The date of the rates as the answer states it, in epoch ms; undefined where it does not. */
  readonly asOf?: number;
}

/**
 * Parses the answer of a rates API. Understands `{base, rates}`, `{base_code, rates}`, `{source, quotes}` with keys such
 * as "EURUSD", and `{data: {currency, rates}}`; rates are numbers or decimal strings and keep every digit.
 *
 * One bad rate must not stop everything: a value that is no decimal number (null, a word) is left out, and so is anything
 * unusable for a currency that is not supported. But a number that is zero, negative or not finite for a supported
 * currency casts doubt on the whole answer.
 *
 * Throws `RatesError` for that, for an unknown shape, when the base is not EUR, and when USD is missing.
 */
export function parseAnswer(text: string): Answer {
  return readAnswer(readJson(text));
}

/** Parses JSON with numbers as texts. */
export function readJson(text: string): unknown {
  try {
    return parseWithDigits(text);
  } catch {
    throw new RatesError("the answer is not JSON");
  }
}

/** As `parseAnswer`, for the result of `readJson`, with numbers as texts. */
export function readAnswer(answer: unknown): Answer {
  if (!isObject(answer)) throw new RatesError("the answer is not a JSON object");
  refuseFailure(answer);
  const { base, rates } = shapeOf(answer);
  if (base === undefined) throw new RatesError("the answer does not say which base its rates have");
  if (base !== "EUR")
    throw new RatesError(`the answer's base is ${quoted(base)}, not EUR: ask for EUR in RATES_URL`);

  const table = new Map<string, string>();
  const leftOut = new Set<string>();
  for (const [currency, value] of rates) {
    const rate = readRate(currency, value);
    if (rate === undefined) leftOut.add(quoted(currency));
    else table.set(currency, rate);
  }
  if (!table.has("USD")) throw new RatesError("the answer has no rate for USD");
  const own = table.get("EUR");
  if (own !== undefined && Number(own) !== 1) throw new RatesError("the answer's rate for EUR is not 1");
  const asOf = oldestDate(answer);
  return { rates: table, leftOut: [...leftOut].sort(), ...(asOf === undefined ? {} : { asOf }) };
}

function refuseFailure(answer: Record<string, unknown>): void {
  if (answer.success !== false && answer.result !== "error") return;
  const kind = isObject(answer.error) ? answer.error.type : answer["error-type"];
  // Only a code: the sentences beside it may repeat the request, and with it the key.
  const code = typeof kind === "string" && /^[a-z_-]{1,40}$/.test(kind) ? ` (${kind})` : "";
  throw new RatesError(`the answer reports a failure${code}`);
}

interface Shape {
  readonly base: unknown;
  readonly rates: readonly (readonly [string, unknown])[];
}

function shapeOf(answer: Record<string, unknown>): Shape {
  if (isObject(answer.data))
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
  if (!isObject(rates)) throw new RatesError(`the answer's ${where} is not an object`);
  return Object.entries(rates);
}

function quotedCurrency(pair: string, base: unknown): string {
  if (typeof base === "string" && pair.startsWith(base) && pair.length > base.length)
    return pair.slice(base.length);
  throw new RatesError(`the answer's quote ${quoted(pair)} does not begin with its source`);
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** @returns undefined for a rate that is left out */
function readRate(currency: string, value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  if (isRate(value)) return value;
  const size = decimal.test(value) ? Number(value) : Number.NaN;
  const isDoubtful = size <= 0 || size === Number.POSITIVE_INFINITY;
  if (isDoubtful && (currency === "EUR" || marketCurrencies.has(currency)))
    throw new RatesError(`the answer's rate for ${currency} is not a finite, positive number`);
  return undefined;
}

function quoted(code: unknown): string {
  return typeof code === "string" && /^[A-Za-z0-9]{1,12}$/.test(code) ? code : "unreadable";
}
