import { type CustomTypes, decodeEnriched } from "../casino/decode.ts";
import { type CasinoEvent, isMoney } from "../casino/event.ts";
import { errorsText } from "../casino/field-error.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import { type AppliedRate, readEnvelope } from "../messages/envelope.ts";

/** What the table stores of a final event. */
export interface EventRow {
  readonly client: string;
  readonly source: string;
  /** With its description, and as a bet or deposit with `amount_eur`. */
  readonly event: CasinoEvent;
  readonly rate?: AppliedRate;
  /** When CASINO_EVENTS stored it, in ms since the epoch. */
  readonly storedAt: number;
  /** Its sequence in CASINO_EVENTS; absent where unknown. */
  readonly sequence?: number;
}

/** A row and the message it comes from. */
export interface DeliveredRow extends EventRow {
  readonly delivery: Delivery;
}

/** Why a message is no final event, or why Postgres refuses it: for its dead letter. */
export interface Refusal {
  readonly reason: DeadReason;
  readonly because: string;
}

/** Reads a message of the final stage; never throws. */
export function readRow(delivery: Delivery): DeliveredRow | Refusal {
  const envelope = readEnvelope(delivery);
  if ("reason" in envelope) return envelope;
  const decoded = decodeEnriched(delivery.data, anyCustomType);
  if (!decoded.ok) {
    return { reason: decoded.reason, because: errorsText(decoded.errors) };
  }
  const { event } = decoded;
  if (event.description === undefined) return unfinished("/description");
  const { client, source } = envelope;
  const { storedAt, streamSequence: sequence } = delivery;
  const row = { delivery, client, source, event, storedAt, sequence };
  if (!isMoney(event)) return row;
  if (event.amount_eur === undefined) return unfinished("/amount_eur");
  if (envelope.rate === undefined) return row;
  return { ...row, rate: envelope.rate };
}

// The pipeline has checked the data, perhaps against a schema that has changed since. The table's own check knows whether
// the type is registered.
const anyCustomType: CustomTypes = () => () => [];

function unfinished(key: string): Refusal {
  return { reason: "invalid_event", because: `${key} is missing: the event is not a final one.` };
}
