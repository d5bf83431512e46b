import { casinoTypes, isEventType } from "../casino/event.ts";
import { minorUnits } from "../casino/money.ts";
import { clientName } from "../casino/names.ts";
import { mostEventsPerMessage } from "../messages/accepted.ts";

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new Error(`be an integer from ${min} to ${max}`);
    return value;
  };
}

/** The generator's command line. */
export const generatorFlags = {
  rate: {
    value: "N",
    doc: "events per second; default: random gaps of 0 to 100 ms",
    parse: (text: string): number => {
      const value = Number(text);
      if (!/^\d+(\.\d+)?$/.test(text) || value < 0.001 || value > 1e6)
        throw new Error("be a number from 0.001 to 1000000");
      return value;
    },
  },
  count: {
    value: "N",
    doc: "how many events; default: without end",
    parse: integer(1, Number.MAX_SAFE_INTEGER),
  },
  batch: {
    value: "N",
    doc: "events in one message, as many as fit; default 1",
    parse: integer(1, mostEventsPerMessage),
  },
  seed: {
    value: "N",
    doc: "makes the same random events again; default: random",
    parse: integer(0, 2 ** 32 - 1),
  },
  client: {
    value: "ID",
    doc: "whose events; default casino",
    parse: clientName,
  },
  type: {
    value: "T",
    doc: `only this type: ${casinoTypes.join(", ")}, or a registered one (looked up in Postgres)`,
    parse: (text: string): string => {
      if (!isEventType(text))
        throw new Error(`be one of ${casinoTypes.join(", ")} or registered, of the form [a-z0-9_-]{1,40}`);
      return text;
    },
  },
  currencies: {
    value: "A,B",
    doc: "currencies of bets and deposits; default EUR,USD,GBP,NZD,BTC",
    parse: (text: string): readonly string[] => {
      const codes = text.split(",");
      if (codes.some((code) => minorUnits(code) === undefined))
        throw new Error("be comma-separated codes of ISO 4217 in upper case, or BTC");
      return codes;
    },
  },
} as const;
