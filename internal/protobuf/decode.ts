import { fromBinary } from "@bufbuild/protobuf";
import { type CustomTypes, type Decoded, decodeRawValue } from "../casino/decode.ts";
import { fieldError } from "../casino/field-error.ts";
import { type Event, EventBatchSchema, EventSchema } from "./event_pb.ts";

/** The media type of events in protobuf (proto/event.proto), in HTTP and in the header Content-Type of messages. */
export const protobufType = "application/x-protobuf";

// Each level of `data` takes up to three levels of messages. Deeper ones than events may have are refused after this.
const options = { readUnknownFields: false, recursionLimit: 256 };

/**
 * Reads an event as producers send it, from one `Event` message: as `decodeRaw` does from JSON.
 * @param customTypes without it every type but the casino types is `unknown_type`
 */
export function decodeRawProtobuf(payload: Uint8Array, customTypes?: CustomTypes): Decoded {
  let event: Event;
  try {
    event = fromBinary(EventSchema, payload, options);
  } catch {
    return { ok: false, reason: "invalid_event", errors: [fieldError("", "must be a protobuf Event")] };
  }
  return decodeRawValue(toJson(event), customTypes);
}

/**
 * The events of a body, in the form of JSON and not yet validated: those of an `EventBatch`, or the one `Event` that the
 * body is. Undefined when it is neither.
 */
export function parseProtobufEvents(body: Uint8Array): readonly unknown[] | undefined {
  try {
    const events = isBatch(body)
      ? fromBinary(EventBatchSchema, body, options).events
      : [fromBinary(EventSchema, body, options)];
    return events.map(toJson);
  } catch {
    return undefined;
  }
}

/** The tag of EventBatch.events, number 16, which Event never uses. */
function isBatch(body: Uint8Array): boolean {
  return body[0] === 0x82 && body[1] === 0x01;
}

// Absent fields are left out; numbers beyond 2^53 stay beyond it and are refused like those in JSON.
function toJson(event: Event): Record<string, unknown> {
  const { id, playerId, gameId, type, amount, currency, hasWon, createdAt, data } = event;
  return {
    ...(id === undefined ? {} : { id: Number(id) }),
    ...(playerId === undefined ? {} : { player_id: Number(playerId) }),
    ...(gameId === undefined ? {} : { game_id: Number(gameId) }),
    ...(type === undefined ? {} : { type }),
    ...(amount === undefined ? {} : { amount: Number(amount) }),
    ...(currency === undefined ? {} : { currency }),
    ...(hasWon === undefined ? {} : { has_won: hasWon }),
    ...(createdAt === undefined ? {} : { created_at: time(createdAt.seconds, createdAt.nanos) }),
    ...(data === undefined ? {} : { data }),
  };
}

/** RFC 3339; a text that is none for a time beyond the years 0 to 9999, which is refused like any other. */
function time(seconds: bigint, nanos: number): string {
  const date = new Date(Number(seconds) * 1000 + Math.floor(nanos / 1_000_000));
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** How the first step reads messages that say they are protobuf. */
export const protobufEvents = { mediaType: protobufType, decode: decodeRawProtobuf } as const;
