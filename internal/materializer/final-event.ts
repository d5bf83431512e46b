import { parseEventSubject } from "../jetstream/subjects.ts";
import type { FoldEvent } from "./fold.ts";

/** The source of an event whose message names none. */
const defaultSource = "nats";

/**
 * Reads of a final event what the fold needs, and no more: the steps before have checked the rest, and a rebuild reads
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
): FoldEvent | string {
  const place = parseEventSubject(subject);
  if (place?.stage !== "final") return "The subject is not a final event's.";
  let body: unknown;
  try {
    body = JSON.parse(utf8.decode(payload));
  } catch {
    return "The body is not JSON in UTF-8.";
  }
  if (!isObject(body)) return "The body is not a JSON object.";
  const { id, type, player_id: playerId, amount_eur: amountEur, has_won: hasWon } = body;
  if (!isInteger(id, 1)) return "id is not an integer from 1 to 2^53-1.";
  if (typeof type !== "string") return "type is not a string.";
  const event = { client: place.client, source: source || defaultSource, id, type, storedAt };
  if (type !== "bet" && type !== "deposit") return event;
  if (!isInteger(playerId, 1)) return "player_id is not an integer from 1 to 2^53-1.";
  if (type === "bet")
    return typeof hasWon === "boolean" ? { ...event, playerId, hasWon } : "has_won is not a boolean.";
  return isInteger(amountEur, 0)
    ? { ...event, playerId, amountEur }
    : "amount_eur is not an integer from 0 to 2^53-1.";
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown, min: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min;
}
