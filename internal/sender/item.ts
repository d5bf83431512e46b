import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import type { DeadMessage } from "../messages/dead-letter.ts";
import { defaultSource } from "../messages/envelope.ts";
import { keyText } from "../messages/event-key.ts";
import {
  type Identity,
  identityHeaders,
  identityOf,
  readRetryHead,
  type WaitingDelivery,
} from "../messages/retry.ts";
import { clientOf, finalStage, parseEventSubject, stageStream } from "../messages/subjects.ts";
import { type DeliverableEvent, readDeliverable } from "../webhooks/message.ts";

/** A final event in hand that a destination is to get: what is needed to call with it, and to settle its message. */
export interface Item {
  readonly delivery: Delivery;
  readonly mailbox: Mailbox;
  readonly event: DeliverableEvent;
  /** Of the final event. */
  readonly subject: string;
  /** Whether it comes from CASINO_RETRY, and not from the log. */
  readonly hasWaited: boolean;
  /** How many were made before. */
  readonly attempts: number;
  /** When the next one may be made, in ms since the epoch; 0 = at once. */
  readonly due: number;
  readonly origin: string;
  /** The same through all attempts, no other delivery's of this destination. */
  readonly name: string;
  readonly identity: Identity;
}

/** A message that is no final event, or no delivery: nothing but ourselves could have put it there. */
export interface Unreadable {
  readonly because: string;
}

/** Reads a message of CASINO_EVENTS. Never throws. */
export function readFinal(delivery: Delivery, mailbox: Mailbox): Item | Unreadable {
  const { subject, headers, data, streamSequence } = delivery;
  const source = headers.get("Casino-Source") || defaultSource;
  const event = readDeliverable(clientOf(subject), source, data, streamSequence);
  if (event === undefined) return { because: "The body is no final event." };
  return itemOf(delivery, mailbox, event, { subject, hasWaited: false, attempts: 0, due: 0, origin: "log" });
}

/** Reads a message of CASINO_RETRY. Never throws. */
export function readWaiting(delivery: Delivery, mailbox: Mailbox): Item | Unreadable {
  const head = readRetryHead(delivery);
  if (head === undefined) return { because: "It does not say which delivery it is." };
  const event = readDeliverable(head.client, head.source, delivery.data, head.sequence);
  if (event === undefined) return { because: "The body is no final event." };
  const { subject, attempts, due, origin } = head;
  return itemOf(delivery, mailbox, event, { subject, hasWaited: true, attempts, due, origin });
}

function itemOf(
  delivery: Delivery,
  mailbox: Mailbox,
  event: DeliverableEvent,
  rest: Pick<Item, "subject" | "hasWaited" | "attempts" | "due" | "origin">,
): Item {
  const name = `${keyText(event)}:${rest.origin}`;
  return { delivery, mailbox, event, ...rest, name, identity: identityOf(delivery.headers) };
}

/** The type of a message's event, by its subject alone. */
export function typeOf({ subject }: Delivery): string {
  return parseEventSubject(subject)?.type ?? "";
}

/** As what it waits in CASINO_RETRY. */
export function waitingOf(
  { event, subject, origin, identity }: Item,
  destination: string,
  terms: Pick<WaitingDelivery, "attempts" | "due" | "error">,
): WaitingDelivery {
  const { client, source, id, text, sequence } = event;
  const key = { client, source, id };
  return { destination, key, subject, payload: text, sequence, origin, identity, ...terms };
}

/** What its dead letter is made of: the final event, as if it came from the log just now. */
export function deadMessageOf({ event, subject, identity, delivery }: Item, attempts: number): DeadMessage {
  const { sequence, source, text } = event;
  return {
    // Where its place in the log is not known, its place in CASINO_RETRY tells it from others.
    stream: sequence === undefined ? delivery.stream : stageStream(finalStage),
    streamSequence: sequence ?? delivery.streamSequence,
    storedAt: delivery.storedAt,
    deliveries: attempts,
    subject,
    headers: ReceivedHeaders.from(identityHeaders(source, identity)),
    data: Buffer.from(text),
  };
}
