import type { Delivery } from "./delivery.ts";
import { rawSubject } from "./subjects.ts";

/**
 * Header of everything made of an event: the number under which CASINO_RAW accepted it, its sequence there, and when, in
 * ms since the epoch: `4711 1641817000123`. It is how each accepted event can be found again, whatever became of it.
 */
export const acceptedHeader = "Casino-Accepted";

/** An accepted event's number, and when it was accepted, in ms since the epoch. */
export interface Accepted {
  readonly number: number;
  readonly at: number;
}

const rawSubjects = rawSubject("");

/** The value of the header for what is made of this delivery; undefined when it was made of nothing accepted. */
export function acceptedText(delivery: Delivery): string | undefined {
  // Nobody but the stream itself gives a raw message its number, whatever its producer wrote.
  if (delivery.subject.startsWith(rawSubjects)) return `${delivery.streamSequence} ${delivery.storedAt}`;
  const given = delivery.headers.get(acceptedHeader);
  return form.test(given) ? given : undefined;
}

const form = /^[1-9]\d{0,15} \d{1,15}$/;

/** Reads the header; undefined for a text that is none. */
export function parseAccepted(text: string): Accepted | undefined {
  if (!form.test(text)) return undefined;
  const space = text.indexOf(" ");
  const number = Number(text.slice(0, space));
  return Number.isSafeInteger(number) ? { number, at: Number(text.slice(space + 1)) } : undefined;
}
