import { parseEventSubject } from "../../internal/messages/subjects.ts";
import { isObject, readJson } from "../../internal/service/json.ts";
import { onOneLine } from "../../internal/service/terminal.ts";

/** Final events as lines for people, with client and type in columns that grow with the longest so far. */
export class TailLines {
  #clientWidth = 0;
  #typeWidth = 0;

  /**
   * When the event was stored (UTC), its client, its type and its description.
   * @param storedAt in ms since the epoch
   */
  lineOf(subject: string, payload: Uint8Array, storedAt: number): string {
    const place = parseEventSubject(subject);
    const client = place?.client ?? "?";
    const type = place !== undefined && "type" in place ? place.type : "?";
    this.#clientWidth = Math.max(this.#clientWidth, client.length);
    this.#typeWidth = Math.max(this.#typeWidth, type.length);
    const time = new Date(storedAt).toISOString().slice(11, 23);
    const columns = [time, client.padEnd(this.#clientWidth), type.padEnd(this.#typeWidth)];
    return onOneLine([...columns, sentenceOf(payload)].join("  "));
  }
}

function sentenceOf(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload);
  const body = readJson(text);
  return isObject(body) && "description" in body ? String(body.description) : text;
}
