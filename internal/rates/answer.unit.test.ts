import { describe, expect, test } from "vitest";
import { parseAnswer, RatesError } from "./answer.ts";

const table = { USD: "1.0684", BTC: "0.00001545" };

describe("reads every shape", () => {
  test.each([
    ["base and rates, numbers", '{"base":"EUR","rates":{"USD":1.0684,"BTC":0.00001545}}'],
    ["base and rates, strings", '{"base":"EUR","rates":{"USD":"1.0684","BTC":"0.00001545"}}'],
    [
      "exchangerate.host before",
      '{"motd":{"msg":"x"},"success":true,"base":"EUR","date":"2022-01-10","rates":{"USD":1.0684,"BTC":0.00001545}}',
    ],
    [
      "open.er-api.com",
      '{"result":"success","time_last_update_unix":1,"base_code":"EUR","rates":{"USD":1.0684,"BTC":0.00001545}}',
    ],
    [
      "exchangerate.host now",
      '{"success":true,"timestamp":1,"source":"EUR","quotes":{"EURUSD":1.0684,"EURBTC":0.00001545}}',
    ],
    ["Coinbase", '{"data":{"currency":"EUR","rates":{"USD":"1.0684","BTC":"0.00001545"}}}'],
  ])("%s", (_name, text) => {
    expect(Object.fromEntries(parseAnswer(text).rates)).toEqual(table);
  });

  test.each(["1", "1.0", '"1.000"'])("with EUR itself at %s", (eur) => {
    expect(parseAnswer(`{"base":"EUR","rates":{"EUR":${eur},"USD":2}}`).rates.get("USD")).toBe("2");
  });
});

test.each([
  "1.0684000000000000001",
  "1e-5",
  "1.50",
  "1E+3",
  "123456789012345678901234567890",
  '"1.0684000000000000001"',
  '"1e-5"',
])("keeps the digits of %s", (rate) => {
  expect(parseAnswer(`{"base":"EUR","rates":{"USD":${rate}}}`).rates.get("USD")).toBe(
    rate.replaceAll('"', ""),
  );
});

describe("refuses", () => {
  test.each([
    ["nothing", "", "the answer is not JSON"],
    ["a web page", "<!doctype html>", "the answer is not JSON"],
    ["a cut answer", '{"base":"EUR","rates":{"USD":1', "the answer is not JSON"],
    ["nesting without end", "[".repeat(500_000), "the answer is not JSON"],
    ["null", "null", "the answer is not a JSON object"],
    ["an array", '[{"base":"EUR"}]', "the answer is not a JSON object"],
    ["a number", "1.07", "the answer is not a JSON object"],
    ["an empty object", "{}", "the answer holds no rates"],
    ["rates without a base", '{"rates":{"USD":1}}', "the answer does not say which base its rates have"],
    ["another base", '{"base":"USD","rates":{"USD":1}}', "the answer's base is USD, not EUR"],
    ["another base code", '{"base_code":"GBP","rates":{"USD":1}}', "the answer's base is GBP, not EUR"],
    ["another source", '{"source":"USD","quotes":{"USDEUR":1}}', "the answer's base is USD, not EUR"],
    [
      "another currency",
      '{"data":{"currency":"USD","rates":{"USD":"1"}}}',
      "the answer's base is USD, not EUR",
    ],
    [
      "a base of another type",
      '{"base":{"a":1},"rates":{"USD":1}}',
      "the answer's base is unreadable, not EUR",
    ],
    ["rates as an array", '{"base":"EUR","rates":[1]}', "the answer's rates is not an object"],
    ["rates as null", '{"base":"EUR","rates":null}', "the answer's rates is not an object"],
    ["quotes as text", '{"source":"EUR","quotes":"x"}', "the answer's quotes is not an object"],
    ["data without rates", '{"data":{"currency":"EUR"}}', "the answer's data.rates is not an object"],
    ["no rates at all", '{"base":"EUR","rates":{}}', "the answer has no rate for USD"],
    ["no USD", '{"base":"EUR","rates":{"GBP":0.8}}', "the answer has no rate for USD"],
    [
      "a quote of another source",
      '{"source":"EUR","quotes":{"GBPUSD":1}}',
      "the answer's quote GBPUSD does not begin",
    ],
    ["a quote of nothing", '{"source":"EUR","quotes":{"EUR":1}}', "the answer's quote EUR does not begin"],
    [
      "an EUR that is not one",
      '{"base":"EUR","rates":{"EUR":1.1,"USD":1}}',
      "the answer's rate for EUR is not 1",
    ],
    ["success: false", '{"success":false,"error":{"code":101}}', "the answer reports a failure"],
    [
      "success: false with a code",
      '{"success":false,"error":{"type":"missing_access_key","info":"No key XYZ"}}',
      "the answer reports a failure (missing_access_key)",
    ],
    [
      "result: error",
      '{"result":"error","error-type":"unsupported-code"}',
      "the answer reports a failure (unsupported-code)",
    ],
  ])("%s", (_name, text, message) => {
    expect(() => parseAnswer(text)).toThrow(RatesError);
    expect(() => parseAnswer(text)).toThrow(message);
  });

  test.each(["0", "-1", "-0.0", "1e999", "-1e999", "1e-999", '"0.00"', '"-0.5"', '"1e999"'])(
    "a number %s for a currency that is supported, although USD is good",
    (rate) => {
      for (const currency of ["GBP", "BTC", "EUR"]) {
        const parse = () => parseAnswer(`{"base":"EUR","rates":{"USD":1.07,"${currency}":${rate}}}`);
        expect(parse).toThrow(RatesError);
        expect(parse).toThrow(`the answer's rate for ${currency} is not a finite, positive number`);
      }
    },
  );

  test.each(["null", '"N/A"', "true", '"NaN"'])("a USD of %s", (rate) => {
    const parse = () => parseAnswer(`{"base":"EUR","rates":{"USD":${rate},"GBP":0.8}}`);
    expect(parse).toThrow("the answer has no rate for USD");
  });

  test("to repeat what it was sent: a text may hold the access key", () => {
    const key = "k3y-of-this-account";
    for (const text of [
      `{"base":"${key}","rates":{"USD":1}}`,
      `{"base":"EUR","rates":{"USD":"${key}"}}`,
      `{"base":"EUR","rates":{"${key}":0}}`,
      `{"success":false,"error":{"type":"${key}","info":"${key}"}}`,
      key,
    ]) {
      expect(() => parseAnswer(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(key) }),
      );
    }
  });
});

describe("leaves out, and uses the others", () => {
  const answer = (currency: string, rate: string) =>
    parseAnswer(`{"base":"EUR","rates":{"${currency}":${rate},"USD":1.07}}`);

  test.each([
    "null",
    "true",
    "{}",
    "[1]",
    '""',
    '" 1"',
    '"1,07"',
    '"0x10"',
    '"N/A"',
    '"NaN"',
    '"Infinity"',
    '"+1.5"',
    `"${"1".repeat(101)}"`,
  ])("%s for any currency: it is no decimal number", (rate) => {
    for (const currency of ["GBP", "EUR", "XPT", "BGN"])
      expect(answer(currency, rate)).toEqual({ rates: new Map([["USD", "1.07"]]), leftOut: [currency] });
  });

  test.each(["0", "-1", "1e999", '"0.00"'])("a number %s for a currency that needs no rate", (rate) => {
    for (const currency of ["XPT", "DOGE", "BGN", "usd"])
      expect(answer(currency, rate)).toEqual({ rates: new Map([["USD", "1.07"]]), leftOut: [currency] });
  });

  test("a quote too, and says no more of a name than can be one", () => {
    expect(
      parseAnswer('{"source":"EUR","quotes":{"EURUSD":1.07,"EURXPT":null,"EURthe key is k3y":0}}'),
    ).toEqual({ rates: new Map([["USD", "1.07"]]), leftOut: ["XPT", "unreadable"] });
  });
});

test.each([
  ['"date":"2026-01-02"', "2026-01-02T00:00:00.000Z"],
  ['"date":"2026-01-02T03:04:05+01:00"', "2026-01-02T02:04:05.000Z"],
  ['"time_last_update_unix":1767323045', "2026-01-02T03:04:05.000Z"],
  ['"timestamp":"1767323045.9"', "2026-01-02T03:04:05.900Z"],
  ['"timestamp":1767323045678', "2026-01-02T03:04:05.678Z"],
  ['"time_last_update_utc":"Fri, 02 Jan 2026 03:04:05 +0000"', "2026-01-02T03:04:05.000Z"],
  ['"meta":{"last_updated_at":"2026-01-02T23:59:59Z"}', "2026-01-02T23:59:59.000Z"],
  ['"timestamp":1767323045,"date":"2019-03-20"', "2019-03-20T00:00:00.000Z"],
  ['"date":"soon","timestamp":1767323045', "2026-01-02T03:04:05.000Z"],
  ['"date":null', undefined],
  ['"meta":null', undefined],
  ['"timestamp":1e300', undefined],
  ['"time_next_update_unix":1', undefined],
])("is of when it says: %s", (date, expected) => {
  const { asOf } = parseAnswer(`{"base":"EUR",${date},"rates":{"USD":1}}`);
  expect(asOf === undefined ? undefined : new Date(asOf).toISOString()).toBe(expected);
});
