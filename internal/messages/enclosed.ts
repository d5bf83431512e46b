import { isEventType } from "../casino/event.ts";
import { OutgoingHeaders, ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { protobufType } from "../protobuf/decode.ts";
import { isObject, readJson } from "../service/json.ts";
import { acceptedForm } from "./accepted.ts";
import { type BundledEvent, mostEventsPerBundle, ndjsonType, readBundleLine } from "./bundle.ts";
import type { DeadMessage } from "./dead-letter.ts";
import {
  addIdentity,
  type BadEnvelope,
  defaultSource,
  type Envelope,
  newTraceparent,
  readEnvelope,
} from "./envelope.ts";
import { type BadMessage, linesOf, splitRaw } from "./raw-message.ts";
import {
  clientOf,
  isBundleSubject,
  isRawSubject,
  parseApartSubject,
  rawStage,
  rawSubject,
  stageSubject,
} from "./subjects.ts";

/** One event in a message, alone or with others. */
export interface Enclosed {
  readonly envelope: Envelope;
  /** Its media type; empty = JSON. */
  readonly mediaType: string;
  /** The event's bytes; absent where `value` is set. */
  readonly bytes?: Uint8Array;
  /** Of a bundle: the parsed event. */
  readonly value?: unknown;
  /** Why a line of a bundle cannot be read. */
  readonly flaw?: string;
  /** Whether the message is just this event. */
  readonly isWhole: boolean;
  /** Of a bundle: its line, from 1. */
  readonly line?: number;
  /** Whether it is an element of a JSON array, which is invalid when this is no JSON. */
  readonly isElement?: boolean;
}

/** For a line that does not name its client: no client has this name. */
export const nobody = "_";

/** `Application/X; charset=y` is `application/x`. */
export function mediaTypeOf(contentType: string): string {
  if (contentType === "") return "";
  const [mediaType = ""] = contentType.split(";");
  return mediaType.trim().toLowerCase();
}

/**
 * The events that a message of a step's mailbox carries, in order and not decoded yet; at least one.
 * @param replays how often a raw message was replayed, where the ledger says so
 */
export function openMessage(
  message: DeadMessage,
  replays?: string,
): readonly Enclosed[] | BadMessage | BadEnvelope {
  if (isBundleSubject(message.subject)) return openBundle(message);
  const envelope = readEnvelope(message);
  if ("reason" in envelope) return envelope;
  const mediaType = mediaTypeOf(message.headers.get("Content-Type"));
  const whole = { envelope, mediaType, bytes: message.data, isWhole: true };
  if (!isRawSubject(message.subject)) return [whole];
  const own = replays === undefined ? envelope : { ...envelope, replays };
  const events = splitRaw(message.data, mediaType);
  if ("reason" in events) return events;
  const [first, ...others] = events;
  if (others.length === 0 && first?.length === message.data.length) return [{ ...whole, envelope: own }];
  return partsOf(message, own, events, mediaType);
}

function partsOf(
  { streamSequence: number, storedAt: at }: DeadMessage,
  envelope: Envelope,
  events: readonly Uint8Array[],
  mediaType: string,
): readonly Enclosed[] {
  const lines = events.length;
  // Elements of arrays and lines are JSON.
  const ownType = mediaType === protobufType ? mediaType : "";
  const isElement = mediaType !== protobufType && mediaType !== ndjsonType;
  return events.map((bytes, index) => {
    const accepted =
      lines === 1 ? acceptedForm({ number, at }) : acceptedForm({ number, line: index + 1, lines, at });
    return { envelope: { ...envelope, accepted }, mediaType: ownType, bytes, isWhole: false, isElement };
  });
}

function openBundle({ data }: DeadMessage): readonly Enclosed[] | BadMessage {
  const lines = linesOf(data, mostEventsPerBundle);
  if (lines.length === 0 || lines.length > mostEventsPerBundle)
    return { reason: "invalid_event", because: `It is no bundle of 1 to ${mostEventsPerBundle} events.` };
  return lines.map((bytes, index) => {
    const line = index + 1;
    const read: BundledEvent | string = readBundleLine(bytes);
    if (typeof read !== "string")
      return { envelope: read.envelope, mediaType: "", value: read.event, isWhole: false, line };
    const envelope = { client: nobody, source: defaultSource, traceparent: newTraceparent() };
    return { envelope, mediaType: "", bytes, flaw: read, isWhole: false, line };
  });
}

/** The event alone as it was sent, or serialized again where only the parsed event was kept. */
export function bytesOf({ bytes, value }: Enclosed): Uint8Array {
  return bytes ?? Buffer.from(JSON.stringify(value) ?? "");
}

/**
 * What the dead letter of one event is made from. If the message is just that event, it is the message with all its
 * headers; otherwise the event's own bytes and identity, on the subject on which it would have come alone.
 * @param stage the stage that the mailbox reads
 */
export function deadMessageOf(delivery: DeadMessage, enclosed: Enclosed, stage: string): DeadMessage {
  const { envelope, isWhole, line } = enclosed;
  const isMoved = parseApartSubject(delivery.subject) !== undefined;
  if (isWhole && !isMoved && envelope.replays === undefined) return delivery;
  const { stream, streamSequence, storedAt, deliveries } = delivery;
  const event = { accepted: envelope.accepted, replays: envelope.replays, line };
  const subject = isWhole && !isMoved ? delivery.subject : subjectOf(delivery, enclosed, stage);
  const headers = isWhole ? delivery.headers : identityHeaders(enclosed);
  const data = bytesOf(enclosed);
  return { stream, streamSequence, storedAt, deliveries, subject, headers, data, event };
}

/** A message as a whole, for the letter of a message whose events are unknown. */
export function wholeOf(delivery: DeadMessage, stage: string): AddressedMessage {
  const moved = parseApartSubject(delivery.subject);
  if (moved === undefined) return { client: clientOf(delivery.subject), message: delivery };
  const [enclosed] = enclosedIn(delivery);
  const message = enclosed === undefined ? delivery : deadMessageOf(delivery, enclosed, stage);
  return { client: moved.client, message };
}

/** What becomes a letter, and the client it belongs to. */
export interface AddressedMessage {
  readonly client: string;
  readonly message: DeadMessage;
}

/** Each event of a message, for letters of all of them; the message as a whole where it has none. */
export function deadMessagesOf(delivery: DeadMessage, stage: string): readonly AddressedMessage[] {
  const events = enclosedIn(delivery);
  if (events.length === 0) return [wholeOf(delivery, stage)];
  return events.map((enclosed) => ({
    client: enclosed.envelope.client,
    message: deadMessageOf(delivery, enclosed, stage),
  }));
}

function enclosedIn(delivery: DeadMessage): readonly Enclosed[] {
  const events = openMessage(delivery);
  return "reason" in events ? [] : events;
}

function identityHeaders({ envelope, mediaType }: Enclosed): ReceivedHeaders {
  const headers = addIdentity(new OutgoingHeaders(), envelope);
  if (mediaType !== "") headers.add("Content-Type", mediaType);
  return ReceivedHeaders.from(headers);
}

function subjectOf(delivery: DeadMessage, enclosed: Enclosed, stage: string): string {
  const { client } = enclosed.envelope;
  if (client === nobody) return delivery.subject;
  if (stage === rawStage) return rawSubject(client);
  const type = typeOf(enclosed);
  return type === undefined ? delivery.subject : stageSubject(stage, client, type);
}

/** Any value will do: if it does not fit into a subject, only the letter's place is lost. */
function typeOf(enclosed: Enclosed): string | undefined {
  const value = enclosed.value ?? readJson(Buffer.from(bytesOf(enclosed)).toString());
  const type = isObject(value) ? value.type : undefined;
  return typeof type === "string" && isEventType(type) ? type : undefined;
}
