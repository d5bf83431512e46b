import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../harness/wait-for.ts";
import type { RatesMode } from "../rates-api.ts";
import { type Fault, type FaultContext, seconds } from "./fault.ts";

const ratesStream = "KV_casino_rates";

/**
 * The rates API misbehaves. Because rates are valid for a minute, the cache is emptied, and both enrichers, which keep a copy,
 * are killed.
 */
async function misbehave({ stack, killer }: FaultContext, mode: RatesMode, ms: number): Promise<string> {
  const { rates, jsm } = stack;
  await rates.become(mode);
  await jsm.streams.purge(ratesStream);
  await killer.kill(stack.service("enricher-1"), stack.service("enricher-2"));
  await sleep(ms);
  let asked = 0;
  try {
    // On a busy machine the enrichers may take longer than that to start again.
    if (mode !== "absent") await waitFor(() => rates.asked > 0, { what: "a request for rates" });
    asked = rates.asked;
  } finally {
    await rates.become("well");
  }
  const times = asked === 1 ? "once" : `${asked} times`;
  return mode === "absent" ? `away for ${seconds(ms)}` : `for ${seconds(ms)}, asked ${times}`;
}

const modes: Readonly<Record<Exclude<RatesMode, "well">, string>> = {
  slow: "the rates API answers after 20 s, which is too late",
  wrong: "the rates API answers with rates of another base",
  failing: "the rates API answers 500",
  absent: "the rates API does not listen",
};

export const ratesFaults: readonly Fault[] = Object.entries(modes).map(
  ([mode, what]): Fault => ({
    name: `rates-${mode}`,
    what,
    topology: "single",
    inject: (context) => misbehave(context, mode as RatesMode, context.between(6_000, 12_000)), // a key of `modes`
  }),
);

export const ratesOutage: Fault = {
  name: "rates-away",
  what: "the rates API does not listen, for --outage-minutes",
  topology: "single",
  inject: (context) => misbehave(context, "absent", context.outageMs),
};
