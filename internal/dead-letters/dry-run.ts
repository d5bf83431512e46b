import { type CasinoEvent, isClient, isCustom, isMoney, isSource } from "../casino/event.ts";
import { errorsText } from "../casino/field-error.ts";
import { amountEur, currencyProblem, fixedRate } from "../casino/money.ts";
import { decoder, type EventTypes } from "../enrichment/decoding.ts";
import { acceptedForm } from "../messages/accepted.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import { mediaTypeOf } from "../messages/enclosed.ts";
import { type Letter, sourceOf } from "../messages/letter.ts";
import { splitRaw } from "../messages/raw-message.ts";
import { finalStage, rawStage } from "../messages/subjects.ts";
import { protobufEvents } from "../protobuf/decode.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { placeOf, replayOf, Unreplayable } from "./replay.ts";

/** What would become of a letter if it were replayed now. */
export type DryRunResult =
  | { readonly would: "pass" }
  | { readonly would: "fail"; readonly reason?: DeadReason; readonly because: string }
  /** Only a real replay would tell. */
  | { readonly would: "perhaps pass"; readonly because: string };

interface CurrentRates {
  readonly rates: ReadonlyMap<string, string>;
  readonly missing: ReadonlyMap<string, unknown>;
}

/** The current rules outside of a letter. */
export interface DryRunRules {
  readonly types: EventTypes;
  /** How far after its acceptance an event may be dated; Infinity takes any date. */
  readonly maxAheadMs: number;
  /** Whether a client is registered. @throws Unavailable */
  readonly knowsClient: (client: string) => Promise<boolean>;
  /**
   * The rates that the pipeline would use now, in units per euro, and the currencies it waits for; undefined when
   * unknown.
   */
  readonly currentRates: () => Promise<CurrentRates | undefined>;
}

/** Checks a letter, or an edited payload for it, against the current rules. Sends nothing. */
export async function dryRunReplay(
  letter: Letter,
  rules: DryRunRules,
  edited?: Uint8Array,
): Promise<DryRunResult> {
  try {
    const { stage, client } = placeOf(letter);
    if (!isClient(client))
      return fail("unknown_client", `The client "${client}" is not of the form [a-z0-9-]{1,40}.`);
    if (!isSource(sourceOf(letter)))
      return fail("invalid_event", "The header Casino-Source is not of the form [A-Za-z0-9._-]{1,64}.");
    // An edited payload is JSON, whatever the original was.
    const mediaType = edited === undefined ? mediaTypeOf(letter.headers.get("Content-Type")) : "";
    const payload = edited ?? letter.payload;
    const events = stage === rawStage ? splitRaw(payload, mediaType) : [payload];
    if ("reason" in events) return fail(events.reason, events.because);
    if (events.length > 1)
      return perhaps(`It carries ${events.length} events, and each would be judged by itself.`);
    const [bytes = payload] = events;
    const decode = decoder(stage, {
      types: rules.types,
      other: protobufEvents,
      maxAheadMs: rules.maxAheadMs,
    });
    // A replayed event gets a new time of acceptance.
    const accepted = acceptedForm({ number: 1, at: Date.now() });
    const envelope = { client, source: sourceOf(letter), traceparent: "", accepted };
    const decoded = await decode({ envelope, mediaType, bytes, isWhole: true });
    if (!decoded.ok) return fail(decoded.reason, errorsText(decoded.errors));
    // Only checks that an edited payload is still the same event; other problems are reported above.
    replayOf(letter, "", edited);
    if (!(await rules.knowsClient(client)))
      return fail("unknown_client", `The client "${client}" is not registered, or is disabled.`);
    return (await onPrice(decoded.event, stage, rules)) ?? onHistory(letter, decoded.event, stage);
  } catch (err) {
    if (err instanceof Unreplayable) return { would: "fail", because: err.message };
    if (isUnavailable(err))
      return { would: "perhaps pass", because: `It cannot be told now: ${err.message}` };
    throw err;
  }
}

async function onPrice(
  event: CasinoEvent,
  stage: string,
  { currentRates }: DryRunRules,
): Promise<DryRunResult | undefined> {
  if (stage !== rawStage || !isMoney(event) || event.currency === "EUR") return undefined;
  const { currency, amount, created_at } = event;
  const problem = currencyProblem(currency, created_at);
  if (problem !== undefined) return fail("unsupported_currency", `/currency ${problem}`);
  const known = await currentRates();
  const rate = fixedRate(currency)?.rate ?? known?.rates.get(currency);
  if (rate === undefined && known === undefined)
    return perhaps(
      `Whether there is a rate for ${currency} is not known: nobody has asked for rates lately.`,
    );
  if (rate === undefined && known?.missing.has(currency))
    return perhaps(`It would wait: the rates API has no rate for ${currency} at the moment.`);
  if (rate === undefined)
    return fail("unsupported_currency", `/currency the rates API has no rate for ${currency}`);
  return amountEur(amount, currency, rate) === undefined
    ? fail("invalid_event", `/amount in EUR is above ${Number.MAX_SAFE_INTEGER} cents`)
    : undefined;
}

/** Reasons of a step or a receiver, which the letter does not show. */
const notInTheLetter: readonly string[] = ["max_deliveries", "delivery_failed", "too_large"];

function onHistory({ reason, error }: Letter, event: CasinoEvent, stage: string): DryRunResult {
  if (notInTheLetter.includes(reason))
    return perhaps(`Nothing is wrong with the event itself; it was set aside as ${reason}: ${error}`);
  if (stage === finalStage && isCustom(event))
    return perhaps(`Whether ${event.type} is known there, only trying it tells.`);
  return { would: "pass" };
}

const fail = (reason: DeadReason, because: string): DryRunResult => ({ would: "fail", reason, because });
const perhaps = (because: string): DryRunResult => ({ would: "perhaps pass", because });
