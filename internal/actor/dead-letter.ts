import { headers, type MsgHdrs } from "nats";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { deadSubject } from "../jetstream/subjects.ts";

/** Why an event was set aside, as a code; docs/guarantees.md explains each to operators. */
export const deadReasons = [
  "invalid_json",
  "invalid_event",
  "unknown_client",
  "unknown_type",
  "unsupported_currency",
  "too_large",
  "max_deliveries",
  "delivery_failed",
] as const;
export type DeadReason = (typeof deadReasons)[number];

/** A letter's original headers beyond this many bytes are cut, so that it always fits under the server's max_payload. */
const maxOriginalHeaderBytes = 16 * 1024;
const maxErrorLength = 1000;

/**
 * The dead letter of a delivery: its original bytes and headers, and what people need to know to act on it. Its id is
 * made of stream and sequence, so setting the same message aside twice stores it once.
 * @param because one sentence
 */
export function deadLetterOf(
  delivery: Delivery,
  step: string,
  client: string,
  reason: DeadReason,
  because: string,
): Outgoing {
  const letter = originalHeaders(delivery.headers);
  letter.set("Casino-Dead-Step", step);
  letter.set("Casino-Dead-Reason", reason);
  letter.set("Casino-Dead-Error", headerText(because).slice(0, maxErrorLength));
  letter.set("Casino-Dead-Subject", delivery.subject);
  letter.set("Casino-Dead-Deliveries", String(delivery.deliveries));
  letter.set("Casino-Dead-At", new Date().toISOString());
  letter.set("Nats-Msg-Id", `${delivery.stream}:${delivery.streamSequence}:dead`);
  return { subject: deadSubject(step, client), payload: delivery.data, headers: letter };
}

/** All but the broker's own (`Nats-…`) and an earlier letter's (`Casino-Dead-…`), as far as they fit. */
function originalHeaders(original: MsgHdrs): MsgHdrs {
  const kept = headers();
  let bytes = 0;
  for (const [name, values] of original) {
    if (/^(nats-|casino-dead-)/i.test(name)) continue;
    for (const value of values) {
      const clean = headerText(value);
      bytes += Buffer.byteLength(name) + Buffer.byteLength(clean) + 4;
      if (bytes > maxOriginalHeaderBytes) return kept;
      kept.append(name, clean);
    }
  }
  return kept;
}

/** Line breaks would end a header. */
function headerText(value: string): string {
  return value.replace(/[\r\n]+/g, " ");
}
