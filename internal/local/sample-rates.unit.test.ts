import { expect, test } from "vitest";
import { parseAnswer } from "../rates/answer.ts";
import { sampleRates } from "./sample-rates.ts";

test("the sample is a good answer of a rates API, and gives the amounts the examples show", () => {
  const { rates } = parseAnswer(JSON.stringify(sampleRates));
  for (const currency of ["EUR", "USD", "GBP", "NZD", "BTC"]) expect(rates.get(currency)).toBeDefined();
  expect(rates.get("USD")).toBe("1.0684");
});
