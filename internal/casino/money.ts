/**
 * ISO 4217 list one (currency and fund codes in force) by minor unit, as of amendment 180 (1 January 2026), taken from
 * the list itself: `Intl` follows the CLDR instead, which differs for HUF, IQD and others. Not here, and so not
 * supported, are the codes whose minor unit the list gives as "N.A." (metals, units of account, XTS, XXX).
 */
const ISO_4217: readonly (readonly [minorUnit: number, codes: string])[] = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
     COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
     INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
     MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
     STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];
const BITCOIN = "BTC";
const EURO = "EUR";

/**
 * The currencies that gave way to the euro: minor unit as ISO 4217 had it then, units per euro, and the day (UTC) from
 * which no amount is in them any more. The rates are those of Council Regulation (EC) 2866/98, article 1, as amended up to
 * Regulation (EU) 2025/1407. The first twelve lived on as units of the euro until the end of 2001 (Regulation (EC) 974/98,
 * articles 1 and 6); each of the others ended on the day its country adopted the euro.
 */
const GAVE_WAY: readonly (readonly [code: string, minorUnit: number, rate: string, until: string])[] = [
  ["ATS", 2, "13.7603", "2002-01-01"],
  ["BEF", 0, "40.3399", "2002-01-01"],
  ["DEM", 2, "1.95583", "2002-01-01"],
  ["ESP", 0, "166.386", "2002-01-01"],
  ["FIM", 2, "5.94573", "2002-01-01"],
  ["FRF", 2, "6.55957", "2002-01-01"],
  ["GRD", 0, "340.750", "2002-01-01"],
  ["IEP", 2, "0.787564", "2002-01-01"],
  ["ITL", 0, "1936.27", "2002-01-01"],
  ["LUF", 0, "40.3399", "2002-01-01"],
  ["NLG", 2, "2.20371", "2002-01-01"],
  ["PTE", 0, "200.482", "2002-01-01"],
  ["SIT", 2, "239.640", "2007-01-01"],
  ["CYP", 2, "0.585274", "2008-01-01"],
  ["MTL", 2, "0.429300", "2008-01-01"],
  ["SKK", 2, "30.1260", "2009-01-01"],
  ["EEK", 2, "15.6466", "2011-01-01"],
  ["LVL", 2, "0.702804", "2014-01-01"],
  ["LTL", 2, "3.45280", "2015-01-01"],
  ["HRK", 2, "7.53450", "2023-01-01"],
  ["BGN", 2, "1.95583", "2026-01-01"],
];

const minorUnitOf: ReadonlyMap<string, number> = new Map([
  ...ISO_4217.flatMap(([minor, codes]) => codes.split(/\s+/).map((code) => [code, minor] as const)),
  [BITCOIN, 8] as const,
  ...GAVE_WAY.map(([code, minor]) => [code, minor] as const),
]);

/**
 * How many decimals the smallest unit of a currency stands for: 2 for EUR, 0 for JPY, 8 for BTC. Knows the currencies that
 * gave way to the euro too; whether an event may be in one, `currencyProblem` says.
 *
 * @returns undefined for a code that is not supported: events in it are refused.
 */
export function minorUnits(currency: string): number | undefined {
  return minorUnitOf.get(currency);
}

/** The currencies whose rate the market makes: all that are supported, but for EUR and those that gave way to it. */
export const marketCurrencies: ReadonlySet<string> = new Set(
  [...minorUnitOf.keys()].filter((code) => code !== EURO && !GAVE_WAY.some(([gone]) => gone === code)),
);

/** The rate at which a currency became euros, for all amounts in it, of whatever time. */
export interface FixedRate {
  /** Units of the currency per 1 EUR, as the regulation writes it. */
  readonly rate: string;
  /** From when on no amount is in it, in the form that `parseTimestamp` gives. */
  readonly until: string;
}

const fixedRates: ReadonlyMap<string, FixedRate> = new Map(
  GAVE_WAY.map(([code, , rate, day]) => [code, { rate, until: `${day}T00:00:00.000Z` }]),
);

/** @returns undefined for a currency that did not give way to the euro: its rate is the market's */
export function fixedRate(currency: string): FixedRate | undefined {
  return fixedRates.get(currency);
}

/**
 * Why no event of that time can be in that currency, to be put after "/currency "; undefined when one can. It is the same
 * answer for ever: no rates and nothing that is away play a part.
 *
 * @param createdAt in the form that `parseTimestamp` gives
 */
export function currencyProblem(currency: string, createdAt: string): string | undefined {
  if (minorUnits(currency) === undefined) return `${currency} is not in use (ISO 4217)`;
  const fixed = fixedRate(currency);
  if (fixed === undefined || createdAt < fixed.until) return undefined;
  return `${currency} gave way to the euro and is not in use from ${fixed.until.slice(0, 10)} on`;
}

const RATE = /^(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?$/;
// Bounds the work a rate can cause. The longest double, written in full, is shorter wherever a rate makes sense.
const MAX_RATE_LENGTH = 100;

interface Rate {
  readonly digits: bigint;
  readonly exponent: number;
}

/** A rate comes for thousands of events before there is another of its currency. */
const parsedRates = new Map<string, Rate>();
const mostParsedRates = 1_000;

function parseRate(text: string): Rate | undefined {
  const known = parsedRates.get(text);
  if (known !== undefined) return known;
  const rate = parseDecimal(text);
  if (rate === undefined) return undefined;
  if (parsedRates.size >= mostParsedRates) parsedRates.clear();
  parsedRates.set(text, rate);
  return rate;
}

function parseDecimal(text: string): Rate | undefined {
  if (text.length > MAX_RATE_LENGTH) return undefined;
  const match = RATE.exec(text);
  if (match === null) return undefined;
  // Also keeps the exponent within a double's, so that the powers of ten below stay small.
  const size = Number(text);
  if (!(size > 0 && size < Number.POSITIVE_INFINITY)) return undefined;
  const [, whole = "", decimals, onlyDecimals, exponent = "0"] = match;
  const fraction = decimals ?? onlyDecimals ?? "";
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

/** Whether a text is a finite, positive decimal number (`1.0845`, `0.00001234`, `1e-5`) of at most 100 characters. */
export function isRate(text: string): boolean {
  return parseRate(text) !== undefined;
}

/**
 * What an amount is worth in euro cents: amount / 10^minor / rate * 100, in exact arithmetic on the rate's decimal
 * text, rounded half up to a whole cent (Council Regulation (EC) 1103/97, article 5). In EUR it is the amount itself,
 * whatever the rate.
 *
 * @param amount in the currency's smallest unit, 0..2^53-1
 * @param rate units of the currency per 1 EUR, as decimal text
 * @returns undefined when the result is above 2^53-1
 * @throws RangeError when the currency is not supported or the rate is none: ask `minorUnits` and `isRate` before
 */
export function amountEur(amount: number, currency: string, rate: string): number | undefined {
  if (currency === EURO) return amount;
  const minor = supportedMinorUnits(currency);
  const parsed = parseRate(rate);
  if (parsed === undefined) throw new RangeError("a rate must be a finite, positive decimal number");
  const power = 2 - minor - parsed.exponent;
  const numerator = BigInt(amount) * 10n ** BigInt(Math.max(power, 0));
  const denominator = parsed.digits * 10n ** BigInt(Math.max(-power, 0));
  const cents = (2n * numerator + denominator) / (2n * denominator);
  return cents > Number.MAX_SAFE_INTEGER ? undefined : Number(cents);
}

/**
 * An amount for people, without its currency: whole ones without decimals (`5`), others with all decimals of the
 * currency (`5.50`), bitcoin without trailing zeros (`0.00012345`).
 *
 * @param amount in the currency's smallest unit, 0..2^53-1
 * @throws RangeError when the currency is not supported: ask `minorUnits` before
 */
export function formatAmount(amount: number, currency: string): string {
  const minor = supportedMinorUnits(currency);
  const digits = String(amount).padStart(minor + 1, "0");
  const point = digits.length - minor;
  const whole = digits.slice(0, point);
  const decimals = digits.slice(point);
  if (/^0*$/.test(decimals)) return whole;
  return `${whole}.${currency === BITCOIN ? decimals.replace(/0+$/, "") : decimals}`;
}

function supportedMinorUnits(currency: string): number {
  const minor = minorUnits(currency);
  if (minor === undefined) throw new RangeError(`currency ${currency.slice(0, 10)} is not supported`);
  return minor;
}
