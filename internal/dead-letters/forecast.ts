import type { NatsConnection } from "nats";
import type { DeadReason } from "../actor/dead-letter.ts";
import type { Decoded } from "../casino/decode.ts";
import { type CasinoEvent, isClient, isCustom, isMoney, isSource } from "../casino/event.ts";
import { amountEur, minorUnits } from "../casino/money.ts";
import { decoder, type EventTypes } from "../enrichment/decoding.ts";
import { askBroker, isObject } from "../jetstream/api.ts";
import { finalStage, rawStage } from "../jetstream/subjects.ts";
import { protobufEvents } from "../protobuf/decode.ts";
import { decodeSheet } from "../rates/sheet.ts";
import { isUnavailable } from "../unavailable.ts";
import { type Letter, sourceOf } from "./letter.ts";
import { placeOf, replayOf, Unreplayable } from "./replay.ts";

/** What would become of a letter that is sent again now. */
export type Forecast =
  | { readonly would: "pass" }
  | { readonly would: "fail"; readonly reason?: DeadReason; readonly because: string }
  /** Only trying it would tell. */
  | { readonly would: "perhaps pass"; readonly because: string };

/** What the look ahead needs of the world. */
export interface Oracle {
  readonly types: EventTypes;
  /** Whether a client is registered. @throws Unavailable */
  readonly knowsClient: (client: string) => Promise<boolean>;
  /** Units per euro as the pipeline knows them now; undefined when it has none at hand. */
  readonly rates: () => Promise<ReadonlyMap<string, string> | undefined>;
}

/** Looks at a letter, or at an edited payload for it, with the rules of now. Sends nothing. */
export async function forecast(letter: Letter, oracle: Oracle, edited?: Uint8Array): Promise<Forecast> {
  try {
    const { stage, client } = placeOf(letter);
    if (!isClient(client))
      return fail("unknown_client", `The client "${client}" is not of the form [a-z0-9-]{1,40}.`);
    if (!isSource(sourceOf(letter)))
      return fail("invalid_event", "The header Casino-Source is not of the form [A-Za-z0-9._-]{1,64}.");
    // An edited payload is JSON, whatever the original was.
    const contentType = edited === undefined ? letter.headers.get("Content-Type") : "";
    const decode = decoder(stage, oracle.types, protobufEvents);
    const decoded = await decode(edited ?? letter.payload, client, contentType);
    if (!decoded.ok) return fail(decoded.reason, sentenceOf(decoded));
    // Of an edited payload this checks that it is still the same event; what it is not is said above.
    replayOf(letter, edited);
    if (!(await oracle.knowsClient(client)))
      return fail("unknown_client", `The client "${client}" is not registered.`);
    return (await onPrice(decoded.event, stage, oracle)) ?? onHistory(letter, decoded.event, stage);
  } catch (err) {
    if (err instanceof Unreplayable) return { would: "fail", because: err.message };
    if (isUnavailable(err))
      return { would: "perhaps pass", because: `It cannot be told now: ${err.message}` };
    throw err;
  }
}

async function onPrice(event: CasinoEvent, stage: string, { rates }: Oracle): Promise<Forecast | undefined> {
  if (stage !== rawStage || !isMoney(event) || event.currency === "EUR") return undefined;
  const { currency, amount } = event;
  if (minorUnits(currency) === undefined)
    return fail("unsupported_currency", `/currency ${currency} is not in use (ISO 4217)`);
  const known = await rates();
  if (known === undefined)
    return perhaps(
      `Whether there is a rate for ${currency} is not known: nobody has asked for rates lately.`,
    );
  const rate = known.get(currency);
  if (rate === undefined)
    return fail("unsupported_currency", `/currency the rates API has no rate for ${currency}`);
  return amountEur(amount, currency, rate) === undefined
    ? fail("invalid_event", `/amount in EUR is above ${Number.MAX_SAFE_INTEGER} cents`)
    : undefined;
}

/** Reasons that lie in a step or a receiver, which nothing in the letter shows. */
const notInTheLetter: readonly string[] = ["max_deliveries", "delivery_failed", "too_large"];

function onHistory({ reason, error }: Letter, event: CasinoEvent, stage: string): Forecast {
  if (notInTheLetter.includes(reason))
    return perhaps(`Nothing is wrong with the event itself; it was set aside as ${reason}: ${error}`);
  if (stage === finalStage && isCustom(event))
    return perhaps(`Whether ${event.type} is known there, only trying it tells.`);
  return { would: "pass" };
}

/** The rates that the pipeline used last, from its bucket; they go away by themselves after a minute. */
export function currentRates(nc: NatsConnection): Oracle["rates"] {
  return async () => {
    try {
      const { message } = await askBroker(nc, "STREAM.MSG.GET.KV_casino_rates", {
        last_by_subj: "$KV.casino_rates.EUR",
      });
      const text = isObject(message) ? Buffer.from(String(message.data ?? ""), "base64").toString() : "";
      return decodeSheet(text).rates;
    } catch {
      // No bucket, no entry, no answer, or an entry that is no sheet: nothing to tell by.
      return undefined;
    }
  };
}

const fail = (reason: DeadReason, because: string): Forecast => ({ would: "fail", reason, because });
const perhaps = (because: string): Forecast => ({ would: "perhaps pass", because });

function sentenceOf(decoded: Decoded & { readonly ok: false }): string {
  return decoded.errors.map(({ path, message }) => `${path} ${message}`.trim()).join("; ");
}
