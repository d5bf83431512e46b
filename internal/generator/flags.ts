import type { Command } from "@commander-js/extra-typings";
import { casinoTypes, isEventType } from "../casino/event.ts";
import { minorUnits } from "../casino/money.ts";
import { clientName } from "../casino/names.ts";
import { mostEventsPerMessage } from "../messages/accepted.ts";
import type { Reading } from "../service/command-line.ts";
import { integer } from "../service/config-values.ts";

/** Events per second. */
export function eventRate(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.001 || value > 1e6)
    throw new Error("be a number from 0.001 to 1000000");
  return value;
}

/** A type that exists or may be registered. */
export function generatedType(text: string): string {
  if (!isEventType(text))
    throw new Error(`be one of ${casinoTypes.join(", ")} or registered, of the form [a-z0-9_-]{1,40}`);
  return text;
}

function currencies(text: string): readonly string[] {
  const codes = text.split(",");
  if (codes.some((code) => minorUnits(code) === undefined))
    throw new Error("be comma-separated codes of ISO 4217 in upper case, or BTC");
  return codes;
}

/** Adds the generator's flags. */
export const generatorFlags = (program: Command, reading: Reading<unknown>) =>
  program
    .addOption(
      reading.option("--rate <N>", "events per second; default: random gaps of 0 to 100 ms", eventRate),
    )
    .addOption(
      reading.option(
        "--count <N>",
        "how many events; default: without end",
        integer(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .addOption(
      reading.option(
        "--batch <N>",
        "events in one message, as many as fit; default 1",
        integer(1, mostEventsPerMessage),
      ),
    )
    .addOption(
      reading.option(
        "--seed <N>",
        "makes the same random events again; default: random",
        integer(0, 2 ** 32 - 1),
      ),
    )
    .addOption(reading.option("--client <ID>", "whose events; default casino", clientName))
    .addOption(
      reading.option(
        "--type <T>",
        `only this type: ${casinoTypes.join(", ")}, or a registered one (looked up in Postgres)`,
        generatedType,
      ),
    )
    .addOption(
      reading.option(
        "--currencies <A,B>",
        "currencies of bets and deposits; default EUR,USD,GBP,NZD,BTC",
        currencies,
      ),
    );
