import type { Msg } from "nats";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { isObject, isPositiveInteger, readJsonBytes } from "../service/json.ts";
import { type Accepted, acceptedHeader, parseAccepted } from "./accepted.ts";
import { defaultSource, replaysHeader } from "./envelope.ts";
import { type EventKey, eventKey, eventOf } from "./event-key.ts";
import { clientOf, parseEventSubject } from "./subjects.ts";

// A final event as read from CASINO_EVENTS: from its body, for the aggregates, or from its headers alone, for a proof.

/** What the aggregates need of a final event. */
export interface FinalEvent {
  readonly client: string;
  readonly source: string;
  /** Unique within client and source, 1 to 2^53-1. */
  readonly id: number;
  readonly type: string;
  /** Present on a bet and a deposit. */
  readonly playerId?: number | undefined;
  /** Euro cents, 0 to 2^53-1; present on a deposit. */
  readonly amountEur?: number | undefined;
  /** Present on a bet. */
  readonly hasWon?: boolean | undefined;
  /** The time at which the stream stored the event, milliseconds since 1970: its clock, also in a rebuild. */
  readonly storedAt: number;
}

/**
 * Reads what the aggregates need of a final event, and no more: the steps have checked the rest, and a rebuild reads
 * millions. The client comes from the subject, everything else from the body.
 * @param source the header `Casino-Source`, empty or undefined where there is none
 * @param storedAt when the stream stored it, milliseconds since 1970
 * @returns the event, or a sentence that says why it cannot be folded; never throws
 */
export function readFinalEvent(
  subject: string,
  source: string | undefined,
  payload: Uint8Array,
  storedAt: number,
): FinalEvent | string {
  const place = parseEventSubject(subject);
  if (place?.stage !== "final") return "The subject is not a final event's.";
  const body = readJsonBytes(payload);
  if (body === undefined) return "The body is not JSON in UTF-8.";
  if (!isObject(body)) return "The body is not a JSON object.";
  const { id, type, player_id: playerId, amount_eur: amountEur, has_won: hasWon } = body;
  if (!isPositiveInteger(id)) return "id is not an integer from 1 to 2^53-1.";
  if (typeof type !== "string") return "type is not a string.";
  const event = { client: place.client, source: source || defaultSource, id, type, storedAt };
  if (type !== "bet" && type !== "deposit") return event;
  if (!isPositiveInteger(playerId)) return "player_id is not an integer from 1 to 2^53-1.";
  if (type === "bet")
    return typeof hasWon === "boolean" ? { ...event, playerId, hasWon } : "has_won is not a boolean.";
  return amountEur === 0 || isPositiveInteger(amountEur)
    ? { ...event, playerId, amountEur }
    : "amount_eur is not an integer from 0 to 2^53-1.";
}

/**
 * The header `Casino-Source` of a message from a subscription; empty where there is none. The library's own reader throws
 * on headers that anybody can send, and a throw in a callback ends the reading of the connection.
 */
export function sourceIn(message: Msg): string {
  return ReceivedHeaders.of(message).get("Casino-Source");
}

/** What the headers of a message of CASINO_EVENTS tell. */
export interface FinalHead {
  /** Undefined where the pipeline did not write them: then try `keyOfBody`. */
  readonly key: EventKey | undefined;
  /** Its accepted number; undefined when it has none. */
  readonly accepted: Accepted | undefined;
  /** The dead letter of a reader, such as the archiver, whose replay put it here again. */
  readonly replayOf: number | undefined;
  /** Whether it was replayed from the dead letters. */
  readonly wasReplayed: boolean;
}

/** Reads the headers of a message of CASINO_EVENTS; never throws. */
export function readFinalHead(subject: string, headers: ReceivedHeaders): FinalHead {
  const messageId = headers.get("Nats-Msg-Id");
  const named = eventOf(messageId);
  const replay = /:replay:([1-9]\d{0,15})(?::[0-9a-f]{32})?$/.exec(messageId)?.[1];
  return {
    key: named?.client === clientOf(subject) ? named : undefined,
    accepted: parseAccepted(headers.get(acceptedHeader)),
    replayOf: replay === undefined ? undefined : Number(replay),
    wasReplayed: headers.get(replaysHeader) !== "",
  };
}

/** Which event a message of CASINO_EVENTS is, from its body; undefined when that is no event. */
export function keyOfBody(
  subject: string,
  headers: ReceivedHeaders,
  payload: Uint8Array,
): EventKey | undefined {
  const body = readJsonBytes(payload);
  const id = isObject(body) ? body.id : undefined;
  return isPositiveInteger(id)
    ? eventKey(clientOf(subject), headers.get("Casino-Source") || defaultSource, id)
    : undefined;
}
