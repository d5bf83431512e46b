import type { Delivery } from "../jetstream/delivery.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders, type ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader } from "./accepted.ts";
import { defaultSource, isReplays, replaysHeader } from "./envelope.ts";
import { type EventKey, keyText } from "./event-key.ts";
import { destinationOf, parseEventSubject, retrySubject } from "./subjects.ts";

/** A delivery that waits in CASINO_RETRY for its time: to be retried, brought from the archive, or requested. */
export interface WaitingDelivery {
  /** The destination's id. */
  readonly destination: string;
  readonly key: EventKey;
  /** The final event's subject, which names client and type. */
  readonly subject: string;
  readonly payload: Uint8Array | string;
  /** Its sequence in CASINO_EVENTS; undefined where unknown. */
  readonly sequence: number | undefined;
  /** How many attempts were made. */
  readonly attempts: number;
  /** When the next attempt may be made, in ms since the epoch. */
  readonly due: number;
  /** What caused it, `[a-z0-9-]+`: with event and attempts it distinguishes a message from its copies. */
  readonly origin: string;
  /** The result of the last attempt, a sentence. */
  readonly error: string | undefined;
  readonly identity: Identity;
}

/** What travels beside a final event, and has to be in its dead letter. */
export interface Identity {
  readonly traceparent?: string | undefined;
  /** The header `Casino-Accepted`. */
  readonly accepted?: string | undefined;
  /** How often it was replayed from the dead letters. */
  readonly replays?: string | undefined;
}

const headerOf = {
  subject: "Casino-Delivery-Subject",
  sequence: "Casino-Delivery-Sequence",
  attempts: "Casino-Delivery-Attempts",
  due: "Casino-Delivery-Due",
  origin: "Casino-Delivery-Origin",
  error: "Casino-Delivery-Error",
} as const;

/** The subject of a waiting delivery's final event; empty when it has none. */
export function deliverySubject(headers: ReceivedHeaders): string {
  return headers.get(headerOf.subject);
}

/** Longer sentences are cut. */
const maxErrorLength = 500;

/** The message in which a delivery waits. Sent twice it is stored once, as long as the stream remembers ids. */
export function retryMessage(waiting: WaitingDelivery): Outgoing {
  const { destination, key, subject, payload, sequence, attempts, due, origin, error, identity } = waiting;
  const headers = new OutgoingHeaders()
    // First, because nats-server before 2.11 honours only the first header of that name.
    .add("Nats-Msg-Id", `${destination}:${keyText(key)}:${origin}:${attempts}`)
    .add("Casino-Source", key.source)
    .add(headerOf.subject, subject)
    .add(headerOf.attempts, String(attempts))
    .add(headerOf.due, String(Math.round(due)))
    .add(headerOf.origin, origin);
  if (sequence !== undefined) headers.add(headerOf.sequence, String(sequence));
  if (error !== undefined) headers.add(headerOf.error, error.slice(0, maxErrorLength));
  addIdentityOf(headers, identity);
  return { subject: retrySubject(destination), payload, headers };
}

function addIdentityOf(headers: OutgoingHeaders, { traceparent, accepted, replays }: Identity): void {
  if (traceparent !== undefined) headers.add("traceparent", traceparent);
  if (accepted !== undefined) headers.add(acceptedHeader, accepted);
  if (replays !== undefined) headers.add(replaysHeader, replays);
}

/** The headers of the final event alone, for its dead letter. */
export function identityHeaders(source: string, identity: Identity): OutgoingHeaders {
  const headers = new OutgoingHeaders().add("Casino-Source", source);
  addIdentityOf(headers, identity);
  return headers;
}

/** What travels beside an event, from the headers of any of its messages after the first stage. */
export function identityOf(headers: ReceivedHeaders): Identity {
  const replays = headers.get(replaysHeader);
  return {
    traceparent: headers.get("traceparent") || undefined,
    accepted: headers.get(acceptedHeader) || undefined,
    replays: isReplays(replays) ? replays : undefined,
  };
}

/** What the headers of a waiting delivery tell; undefined for anything else. Never throws. */
export interface RetryHead
  extends Pick<WaitingDelivery, "attempts" | "due" | "sequence" | "origin" | "error"> {
  readonly destination: string;
  readonly client: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
}

/** Reads the headers of a message of CASINO_RETRY. */
export function readRetryHead({
  subject,
  headers,
}: Pick<Delivery, "subject" | "headers">): RetryHead | undefined {
  const [destination = ""] = subject.slice(retrySubject("").length).split(".", 1);
  const eventSubject = headers.get(headerOf.subject);
  const place = parseEventSubject(eventSubject);
  if (destinationOf(`sender_${destination}`) === undefined || place?.type === undefined) return undefined;
  const sequence = count(headers.get(headerOf.sequence));
  return {
    destination,
    client: place.client,
    source: headers.get("Casino-Source") || defaultSource,
    type: place.type,
    subject: eventSubject,
    sequence: sequence === 0 ? undefined : sequence,
    attempts: count(headers.get(headerOf.attempts)),
    due: count(headers.get(headerOf.due)),
    origin: headers.get(headerOf.origin) || "log",
    error: headers.get(headerOf.error) || undefined,
  };
}

function count(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : 0;
}
