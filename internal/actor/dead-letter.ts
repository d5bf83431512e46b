import { acceptedHeader } from "../jetstream/accepted.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { deadSubject } from "../jetstream/subjects.ts";
import { OutgoingHeaders, type ReceivedHeaders } from "../jetstream/wire-headers.ts";

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
/** Ours are shorter; a producer's may be anything. */
const maxMessageIdLength = 200;

/** What a letter is made of; a delivery has it. */
export interface DeadMessage {
  readonly stream: string;
  readonly streamSequence: number;
  readonly deliveries: number;
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  readonly data: Uint8Array;
}

/**
 * The dead letter of a message: its original bytes and headers, and what people need to know to act on it. Its id is
 * made of stream and sequence, so setting the same message aside twice stores it once.
 * @param because one sentence
 */
export function deadLetterOf(
  message: DeadMessage,
  step: string,
  client: string,
  reason: DeadReason,
  because: string,
): Outgoing {
  const letter = originalHeaders(message.headers)
    .add("Casino-Dead-Step", step)
    .add("Casino-Dead-Reason", reason)
    .add("Casino-Dead-Error", because.slice(0, maxErrorLength))
    .add("Casino-Dead-Subject", message.subject)
    .add("Casino-Dead-Deliveries", String(message.deliveries))
    .add("Casino-Dead-At", new Date().toISOString())
    .add("Nats-Msg-Id", `${message.stream}:${message.streamSequence}:dead`);
  const messageId = message.headers.get("Nats-Msg-Id");
  if (messageId !== "") letter.add("Casino-Dead-Msg-Id", messageId.slice(0, maxMessageIdLength));
  return { subject: deadSubject(step, client), payload: message.data, headers: letter };
}

/** What a letter needs to be sent again as the event it was: kept before all others. */
const identity = [
  "Casino-Source",
  "Content-Type",
  "traceparent",
  "Casino-Rate",
  "Casino-Rate-At",
  "Casino-Replays",
  acceptedHeader,
];

/** All but the broker's own (`Nats-…`) and an earlier letter's (`Casino-Dead-…`), as far as they fit. */
function originalHeaders(original: ReceivedHeaders): OutgoingHeaders {
  const all = [...original.entries()].filter(([name]) => !/^(nats-|casino-dead-)/i.test(name));
  const isIdentity = ([name]: readonly [string, string]) => identity.includes(name);
  const kept = new OutgoingHeaders();
  let bytes = 0;
  for (const [name, value] of [...all.filter(isIdentity), ...all.filter((header) => !isIdentity(header))]) {
    const size = Buffer.byteLength(name) + Buffer.byteLength(value) + "\r\n: ".length;
    if (bytes + size > maxOriginalHeaderBytes) continue;
    bytes += size;
    kept.add(name, value);
  }
  return kept;
}
