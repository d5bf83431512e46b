import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyAmount } from "./event.arbitrary.ts";
import {
  amountEur,
  currencyProblem,
  fixedRate,
  formatAmount,
  isRate,
  marketCurrencies,
  minorUnits,
} from "./money.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;
const anyCurrency = fc.constantFrom("JPY", "USD", "KWD", "CLF", "BTC");

/** A rate as a fraction, with one of the ways to write it. */
const anyRate = fc
  .tuple(fc.bigInt({ min: 1n, max: 10n ** 18n }), fc.nat(20), fc.constantFrom("plain", "e", "E+", "zeros"))
  .map(([digits, decimals, form]) => {
    const padded = String(digits).padStart(decimals + 1, "0");
    const point = padded.length - decimals;
    const plain = decimals === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`;
    const text = {
      plain,
      e: `${digits}e-${decimals}`,
      "E+": `${digits}.000E-${decimals}`,
      zeros: decimals === 0 ? plain : `${plain}000`,
    }[form];
    return { text: text ?? plain, digits, denominator: 10n ** BigInt(decimals) };
  });

describe("minorUnits", () => {
  it.each([
    ["EUR", 2],
    ["USD", 2],
    ["JPY", 0],
    ["KWD", 3],
    ["HUF", 2],
    ["IQD", 3],
    ["ISK", 0],
    ["UYI", 0],
    ["UYW", 4],
    ["CLF", 4],
    ["CLP", 0],
    ["MRU", 2],
    ["MGA", 2],
    ["ZWG", 2],
    ["XCG", 2],
    ["XAF", 0],
    ["BTC", 8],
  ])("%s has %i", (currency, minor) => expect(minorUnits(currency)).toBe(minor));

  it.each([
    "XAU",
    "XXX",
    "XTS",
    "XDR",
    "XUA",
    "XBA",
    "ZWL",
    "YUM",
    "eur",
    "ABC",
    "",
    "constructor",
    "__proto__",
  ])("does not support %j", (currency) => expect(minorUnits(currency)).toBeUndefined());

  it("knows as many codes as list one has with a minor unit, and no other but those that gave way to the euro", () => {
    const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(65 + i));
    const codes = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => a + b + c)));
    const counts = Object.groupBy(
      codes.filter((code) => minorUnits(code) !== undefined && fixedRate(code) === undefined),
      (code) => String(minorUnits(code)),
    );
    expect(Object.entries(counts).map(([minor, of]) => [minor, of?.length])).toEqual([
      ["0", 17],
      ["2", 139],
      ["3", 7],
      ["4", 2],
      ["8", 1],
    ]);
  });
});

describe("a currency that gave way to the euro", () => {
  // Worth of 1,000,000 smallest units in cents, by hand: 1,000,000 / 10^minor / rate * 100, half up.
  it.each([
    ["ATS", 2, 72_673, "2001-12-31"],
    ["BEF", 0, 2_478_935, "2001-12-31"],
    ["DEM", 2, 511_292, "2001-12-31"],
    ["ESP", 0, 601_012, "2001-12-31"],
    ["FIM", 2, 168_188, "2001-12-31"],
    ["FRF", 2, 152_449, "2001-12-31"],
    ["GRD", 0, 293_470, "2001-12-31"],
    ["IEP", 2, 1_269_738, "2001-12-31"],
    ["ITL", 0, 51_646, "2001-12-31"],
    ["LUF", 0, 2_478_935, "2001-12-31"],
    ["NLG", 2, 453_780, "2001-12-31"],
    ["PTE", 0, 498_798, "2001-12-31"],
    ["SIT", 2, 4_173, "2006-12-31"],
    ["CYP", 2, 1_708_601, "2007-12-31"],
    ["MTL", 2, 2_329_373, "2007-12-31"],
    ["SKK", 2, 33_194, "2008-12-31"],
    ["EEK", 2, 63_912, "2010-12-31"],
    ["LVL", 2, 1_422_872, "2013-12-31"],
    ["LTL", 2, 289_620, "2014-12-31"],
    ["HRK", 2, 132_723, "2022-12-31"],
    ["BGN", 2, 511_292, "2025-12-31"],
  ])("%s has %i decimals, is worth %i, and is taken until %s", (code, minor, cents, lastDay) => {
    expect(minorUnits(code)).toBe(minor);
    const fixed = fixedRate(code);
    expect(amountEur(1_000_000, code, fixed?.rate ?? "")).toBe(cents);
    expect(currencyProblem(code, "1997-05-06T07:08:09.012Z")).toBeUndefined();
    expect(currencyProblem(code, `${lastDay}T23:59:59.999Z`)).toBeUndefined();
    const until = new Date(Date.parse(`${lastDay}T23:59:59.999Z`) + 1).toISOString();
    expect(fixed?.until).toBe(until);
    expect(currencyProblem(code, until)).toBe(
      `${code} gave way to the euro and is not in use from ${until.slice(0, 10)} on`,
    );
  });

  it("is one of twenty-one; others are in use at all times, or never", () => {
    for (const code of ["EUR", "USD", "BTC", "DKK", "ISK", "CHF"]) {
      expect(fixedRate(code)).toBeUndefined();
      expect(currencyProblem(code, "1970-01-01T00:00:00.000Z")).toBeUndefined();
      expect(currencyProblem(code, "2999-01-01T00:00:00.000Z")).toBeUndefined();
    }
    expect(["USD", "BTC", "EUR", "BGN", "XXX"].filter((code) => marketCurrencies.has(code))).toEqual([
      "USD",
      "BTC",
    ]);
    expect(currencyProblem("XXX", "1970-01-01T00:00:00.000Z")).toBe("XXX is not in use (ISO 4217)");
  });
});

describe("isRate", () => {
  it.each(["1", "1.0845", "0.00001234", "1e-5", "1.2E+3", "1.2e3", "007.5", ".5", "5.", "5e-324", "1e308"])(
    "takes %s",
    (text) => expect(isRate(text)).toBe(true),
  );

  it.each([
    "",
    "0",
    "0.000",
    "0e5",
    "-1",
    "+1",
    ".",
    "e5",
    "1e",
    "1e400",
    "1e-400",
    "1e99999999999",
    "1e-99999999999",
    "NaN",
    "Infinity",
    "0x10",
    "1,5",
    "1_000",
    "1n",
    " 1",
    "1 ",
    "1\n",
    "١",
    `1${"0".repeat(100)}`,
  ])("refuses %j", (text) => expect(isRate(text)).toBe(false));

  it("takes every positive double as it is printed", () => {
    fc.assert(
      fc.property(fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true }), (rate) => {
        expect(isRate(String(rate))).toBe(true);
      }),
    );
  });
});

describe("amountEur", () => {
  it.each([
    [500, "USD", "1.0845", 461],
    [500, "USD", "1.0684", 468],
    [1, "BTC", "0.00001234", 0],
    [100_000_000, "BTC", "0.00001234", 8_103_728],
    [1000, "JPY", "160", 625],
    [1000, "KWD", "0.25", 400],
    [25, "HUF", "1e1", 3],
    [10_000, "CLF", "4e-2", 2500],
    [0, "USD", "1.0845", 0],
    // Halves go up, also where binary floating point has them a little lower.
    [1, "USD", "2", 1],
    [3, "USD", "2", 2],
    [201, "USD", "200", 1],
    [100, "USD", "200", 1],
    [99, "USD", "200", 0],
    [1005, "KWD", "1", 101],
    [LARGEST, "USD", "1", LARGEST],
    [LARGEST, "USD", "2", 4_503_599_627_370_496],
  ])("%i %s at %s is %i", (amount, currency, rate, expected) =>
    expect(amountEur(amount, currency, rate)).toBe(expected),
  );

  it("gives no result above the largest exact integer", () => {
    expect(amountEur(LARGEST, "USD", "0.99")).toBeUndefined();
    expect(amountEur(LARGEST, "JPY", "1")).toBeUndefined();
    expect(amountEur(1, "JPY", "1e-300")).toBeUndefined();
    // 2^53-1 and 0.9, which rounds up; and 2^53-1 and 0.09, which rounds down.
    expect(amountEur(LARGEST, "USD", "0.9999999999999999")).toBeUndefined();
    expect(amountEur(LARGEST, "USD", "0.99999999999999999")).toBe(LARGEST);
    expect(amountEur(1, "USD", "5e-324")).toBeUndefined();
    expect(amountEur(LARGEST, "USD", "1e308")).toBe(0);
  });

  it("is the amount itself in euros, whatever the rate", () => {
    fc.assert(
      fc.property(anyAmount, (amount) => {
        expect(amountEur(amount, "EUR", "1.1")).toBe(amount);
      }),
    );
  });

  it("is the whole number of cents nearest to the exact fraction, the upper one of two", () => {
    fc.assert(
      fc.property(anyAmount, anyCurrency, anyRate, (amount, currency, { text, digits, denominator }) => {
        const minor = { JPY: 0n, USD: 2n, KWD: 3n, CLF: 4n, BTC: 8n }[currency] ?? -1n;
        const p = BigInt(amount) * 100n * denominator;
        const q = 10n ** minor * digits;
        const cents = amountEur(amount, currency, text);
        if (cents === undefined) {
          expect(2n * p).toBeGreaterThanOrEqual((2n * BigInt(LARGEST) + 1n) * q);
          return;
        }
        // c - 1/2 <= p/q < c + 1/2
        expect((2n * BigInt(cents) - 1n) * q).toBeLessThanOrEqual(2n * p);
        expect(2n * p).toBeLessThan((2n * BigInt(cents) + 1n) * q);
      }),
      { numRuns: 2000 },
    );
  });

  it("rounds every exact half up", () => {
    fc.assert(
      fc.property(fc.nat(10 ** 9), (cents) => {
        expect(amountEur(2 * cents + 1, "USD", "2")).toBe(cents + 1);
      }),
    );
  });

  it("throws on what is no rate and no supported currency", () => {
    expect(() => amountEur(1, "USD", "0")).toThrow(RangeError);
    expect(() => amountEur(1, "XXX", "1")).toThrow(RangeError);
  });
});

describe("formatAmount", () => {
  it.each([
    [500, "USD", "5"],
    [550, "USD", "5.50"],
    [468, "EUR", "4.68"],
    [5, "EUR", "0.05"],
    [0, "EUR", "0"],
    [10_000, "EUR", "100"],
    [500, "JPY", "500"],
    [0, "JPY", "0"],
    [5000, "KWD", "5"],
    [5500, "KWD", "5.500"],
    [1, "KWD", "0.001"],
    [15_000, "CLF", "1.5000"],
    [12_345, "BTC", "0.00012345"],
    [1, "BTC", "0.00000001"],
    [150_000_000, "BTC", "1.5"],
    [1_000_000_000, "BTC", "10"],
    [0, "BTC", "0"],
    [LARGEST, "BTC", "90071992.54740991"],
    [LARGEST, "EUR", "90071992547409.91"],
  ])("%i %s is %s", (amount, currency, expected) => expect(formatAmount(amount, currency)).toBe(expected));

  it("loses nothing", () => {
    fc.assert(
      fc.property(anyAmount, anyCurrency, (amount, currency) => {
        const [whole = "", decimals = ""] = formatAmount(amount, currency).split(".");
        expect(BigInt(whole + decimals.padEnd(minorUnits(currency) ?? -1, "0"))).toBe(BigInt(amount));
      }),
    );
  });

  it("throws on a currency that is not supported", () => {
    expect(() => formatAmount(1, "XXX")).toThrow(RangeError);
  });
});
