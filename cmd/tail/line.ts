import { parseEventSubject } from "../../internal/messages/subjects.ts";
import { isObject } from "../../internal/service/is-object.ts";
import { onOneLine } from "../../internal/service/terminal.ts";

/**
 * One final event as a line for people: when it was stored (UTC), its client, its type and its description.
 * @param storedAt in ms since the epoch
 */
export function lineOf(subject: string, payload: Uint8Array, storedAt: number): string {
  const place = parseEventSubject(subject);
  const client = place?.client ?? "?";
  const type = place !== undefined && "type" in place ? place.type : "?";
  return onOneLine(
    `${new Date(storedAt).toISOString().slice(11, 23)}  ${client}  ${type}  ${sentenceOf(payload)}`,
  );
}

function sentenceOf(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload);
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body) && "description" in body) return String(body.description);
  } catch {
    // Shown as it is.
  }
  return text;
}
