import type { Outgoing } from "../jetstream/publisher.ts";
import { protobufType, splitProtobufEvents } from "../protobuf/decode.ts";
import { mostEventsPerMessage } from "./accepted.ts";
import { ndjsonType } from "./bundle.ts";
import { newTraceparent, writeEnvelope } from "./envelope.ts";
import { arrayElements, isJsonArray } from "./json-array.ts";
import { rawStage, rawSubject } from "./subjects.ts";

/** Why a raw message as a whole carries no event. */
export interface BadMessage {
  readonly reason: "invalid_json" | "invalid_event" | "too_large";
  readonly because: string;
}

/**
 * The events that a producer put into one message, each as its bytes: the elements of a JSON array, the lines of NDJSON,
 * or those of an `EventBatch` in protobuf; any other message is one event.
 *
 * @param mediaType its `Content-Type`; empty where it has none
 * @param most default: the maximum of a raw message
 */
export function splitRaw(
  payload: Uint8Array,
  mediaType: string,
  most = mostEventsPerMessage,
): readonly Uint8Array[] | BadMessage {
  const events = eventsOf(payload, mediaType, most);
  if ("reason" in events || events.length <= most) return events;
  return { reason: "too_large", because: `It carries more than ${most} events.` };
}

function eventsOf(payload: Uint8Array, mediaType: string, most: number): readonly Uint8Array[] | BadMessage {
  switch (mediaType) {
    case ndjsonType: {
      const lines = linesOf(payload, most);
      return lines.length > 0 ? lines : { reason: "invalid_json", because: "It has no line with an event." };
    }
    case protobufType: {
      const events = splitProtobufEvents(payload, most);
      if (events === undefined)
        return { reason: "invalid_event", because: "It begins like a protobuf EventBatch, and is none." };
      return events.length > 0 ? events : { reason: "invalid_event", because: "The EventBatch is empty." };
    }
    default: {
      if (!isJsonArray(payload)) return [payload];
      const elements = arrayElements(payload, most);
      if (elements === undefined) return notJson;
      return elements.length > 0
        ? elements
        : { reason: "invalid_event", because: "The array has no event in it." };
    }
  }
}

/** For an array that is no JSON: an invalid element is an invalid event, a syntax error an invalid message. */
export const notJson: BadMessage = {
  reason: "invalid_json",
  because: "It begins like a JSON array, and is none.",
};

const lineFeed = 0x0a;

/** The lines that are not blank, without line breaks; one more than `most` when there are more. */
export function linesOf(payload: Uint8Array, most: number): readonly Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < payload.length && lines.length <= most; ) {
    const found = payload.indexOf(lineFeed, from);
    const end = found < 0 ? payload.length : found;
    const line = trimmed(payload, from, end);
    if (line.length > 0) lines.push(line);
    from = end + 1;
  }
  return lines;
}

function trimmed(payload: Uint8Array, from: number, to: number): Uint8Array {
  let [start, end] = [from, to];
  while (start < end && isBlank(payload[start])) start++;
  while (end > start && isBlank(payload[end - 1])) end--;
  return payload.subarray(start, end);
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;

/** Who publishes raw events. */
export interface RawSender {
  readonly client: string;
  readonly source: string;
  /** Every event continues it; without one each message starts a trace of its own. */
  readonly traceparent?: string | undefined;
}

/** A message for the stream of raw events. */
export interface RawMessage {
  readonly message: Outgoing;
  /** How many events it carries. */
  readonly events: number;
}

/** What the headers of a raw message with several events take at most. */
const headerBytes = 512;

/**
 * The fewest messages that carry these events of one sender in their order: one event travels as it is, several as NDJSON.
 * @param events JSON objects without line breaks
 * @param mostBytes of one message, headers included; an event that is larger travels alone, and the broker refuses it
 */
export function* rawMessages(
  sender: RawSender,
  events: readonly string[],
  mostBytes: number,
): Generator<RawMessage> {
  let [from, bytes]: [number, number] = [0, headerBytes];
  for (let at = 0; at < events.length; at++) {
    const more = Buffer.byteLength(events[at] ?? "") + 1;
    if (at > from && (at - from === mostEventsPerMessage || bytes + more > mostBytes)) {
      yield rawMessage(sender, events.slice(from, at));
      [from, bytes] = [at, headerBytes];
    }
    bytes += more;
  }
  if (from < events.length) yield rawMessage(sender, from === 0 ? events : events.slice(from));
}

function rawMessage({ client, source, traceparent }: RawSender, events: readonly string[]): RawMessage {
  const envelope = { client, source, traceparent: traceparent ?? newTraceparent() };
  const headers = writeEnvelope(envelope, 0, rawStage); // ids are for the log
  if (events.length > 1) headers.add("Content-Type", ndjsonType);
  return {
    message: { subject: rawSubject(client), payload: events.join("\n"), headers },
    events: events.length,
  };
}
