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

/** A final event in hand for a destination, with what is needed to call the receiver and to settle the message. */
export interface Item {
  readonly delivery: Delivery;
  readonly mailbox: Mailbox;
  readonly event: DeliverableEvent;
  /** Of the final event. */
  readonly subject: string;
  /** Whether it comes from CASINO_RETRY; otherwise from the log. */
  readonly hasWaited: boolean;
  /** Number of earlier attempts. */
  readonly attempts: number;
  /** When the next attempt is due, in ms since the epoch; 0 = at once. */
  readonly due: number;
  readonly origin: string;
  /** Identifies the delivery within the destination, the same for all attempts. */
  readonly name: string;
  readonly identity: Identity;
}

/** A message that is not a final event or not a delivery. Only Croupier can publish it there, so this is a bug. */
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
  if (head === undefined) return { because: "Its headers do not identify a delivery." };
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

/** The event type in a message's subject. */
export function typeOf({ subject }: Delivery): string {
  return parseEventSubject(subject)?.type ?? "";
}

/** The message that waits in CASINO_RETRY. */
export function waitingOf(
  { event, subject, origin, identity }: Item,
  destination: string,
  terms: Pick<WaitingDelivery, "attempts" | "due" | "error">,
): WaitingDelivery {
  const { client, source, id, text, sequence } = event;
  const key = { client, source, id };
  return { destination, key, subject, payload: text, sequence, origin, identity, ...terms };
}

/** The source of its dead letter: the final event, as if it had just come from the log. */
export function deadMessageOf({ event, subject, identity, delivery }: Item, attempts: number): DeadMessage {
  const { sequence, source, text } = event;
  return {
    // If its sequence in the log is unknown, its sequence in CASINO_RETRY identifies it.
    stream: sequence === undefined ? delivery.stream : stageStream(finalStage),
    streamSequence: sequence ?? delivery.streamSequence,
    storedAt: delivery.storedAt,
    deliveries: attempts,
    subject,
    headers: ReceivedHeaders.from(identityHeaders(source, identity)),
    data: Buffer.from(text),
  };
}
