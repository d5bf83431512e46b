import { fromBinary } from "@bufbuild/protobuf";
import { type CustomTypes, type Decoded, decodeRawValue } from "../casino/decode.ts";
import { fieldError } from "../casino/field-error.ts";
import { refuse } from "../casino/reader.ts";
import { type Event, EventBatchSchema, EventSchema } from "./event_pb.ts";
import { messagesIn, wireFlaw } from "./wire.ts";

/** The media type of events in protobuf (proto/event.proto), in HTTP and in the header Content-Type of messages. */
export const protobufType = "application/x-protobuf";

// Each level of `data` takes up to three levels of messages. Deeper ones than events may have are refused after this.
const mostLevels = 256;
const options = { readUnknownFields: false, recursionLimit: mostLevels };

/**
 * Reads an event as producers send it, from one `Event` message: as `decodeRaw` does from JSON.
 * @param customTypes without it every type but the casino types is `unknown_type`
 */
export function decodeRawProtobuf(payload: Uint8Array, customTypes?: CustomTypes): Decoded {
  const flaw = wireFlaw(EventSchema, payload, mostLevels);
  if (flaw !== undefined)
    return refuse("invalid_event", [fieldError(flaw.field === "" ? "" : `/${flaw.field}`, flaw.message)]);
  let event: Event;
  try {
    event = fromBinary(EventSchema, payload, options);
  } catch {
    return refuse("invalid_event", [fieldError("", "must be a protobuf Event")]);
  }
  return decodeRawValue(toJson(event), customTypes);
}

/**
 * The events of a body, each as the bytes of one `Event` and not yet decoded: those of an `EventBatch`, or the one `Event`
 * that the body is. Of more than `most` it gives one more than these, and does not look at the rest. Undefined when the
 * body is no batch though it begins like one.
 */
export function splitProtobufEvents(body: Uint8Array, most: number): readonly Uint8Array[] | undefined {
  if (!isBatch(body)) return [body];
  try {
    return messagesIn(EventBatchSchema.field.events, body, most);
  } catch {
    return undefined;
  }
}

/** The id that an `Event` names; undefined where it names none, or is no event. */
export function protobufEventId(payload: Uint8Array): number | undefined {
  if (wireFlaw(EventSchema, payload, mostLevels) !== undefined) return undefined;
  try {
    const { id } = fromBinary(EventSchema, payload, options);
    return id === undefined ? undefined : Number(id);
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

// As google/protobuf/timestamp.proto has it: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;

/** RFC 3339; of a timestamp beyond what the proto file allows a text that is none, which is refused like any other. */
function time(seconds: bigint, nanos: number): string {
  if (seconds < firstSecond || seconds > lastSecond || nanos < 0 || nanos > 999_999_999) return "";
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1_000_000)).toISOString();
}

/** How the first step reads messages that say they are protobuf. */
export const protobufEvents = { mediaType: protobufType, decode: decodeRawProtobuf } as const;
