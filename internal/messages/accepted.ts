import type { Delivery } from "../jetstream/delivery.ts";
import { isRawSubject } from "./subjects.ts";

/**
 * Header of everything made from an event: the number under which CASINO_RAW accepted it, its sequence there, and the
 * time in ms since the epoch: `4711 1641817000123`. For an event of a raw message with several, also its line and how
 * many there are: `4711.3/20 1641817000123`. With it each accepted event can be found again, whatever became of it.
 */
export const acceptedHeader = "Casino-Accepted";

/** Most events that one raw message may carry. */
export const mostEventsPerMessage = 1_000;

/** Identifies an accepted event. */
export interface AcceptedNumber {
  /** The sequence of its raw message. */
  readonly number: number;
  /** Which event of that message it is, from 1, and of how many; absent when it was the only one. */
  readonly line?: number;
  readonly lines?: number;
}

/** An accepted event's number, and when it was accepted, in ms since the epoch. */
export interface Accepted extends AcceptedNumber {
  readonly at: number;
}

/** The header's value for what is made of this message as a whole; undefined when it was made of nothing accepted. */
export function acceptedText(
  delivery: Pick<Delivery, "subject" | "headers" | "streamSequence" | "storedAt">,
): string | undefined {
  // Only the stream itself numbers raw messages, whatever the producer wrote.
  if (isRawSubject(delivery.subject))
    return acceptedForm({ number: delivery.streamSequence, at: delivery.storedAt });
  const given = delivery.headers.get(acceptedHeader);
  return form.test(given) ? given : undefined;
}

/** The header's value. */
export function acceptedForm(accepted: Accepted): string {
  return `${numberForm(accepted)} ${accepted.at}`;
}

/** The number alone: `4711`, or `4711.3/20`. */
export function numberForm({ number, line, lines }: AcceptedNumber): string {
  return line === undefined ? String(number) : `${number}.${line}/${lines}`;
}

const form = /^([1-9]\d{0,15})(?:\.([1-9]\d{0,3})\/([1-9]\d{0,3}))? (\d{1,15})$/;

/** Parses the header; undefined when it is malformed. */
export function parseAccepted(text: string): Accepted | undefined {
  const [, sequence, line, lines, at] = form.exec(text) ?? [];
  const accepted = { number: Number(sequence), at: Number(at) };
  if (!Number.isSafeInteger(accepted.number)) return undefined;
  if (line === undefined) return accepted;
  return Number(line) <= Number(lines) && Number(lines) <= mostEventsPerMessage
    ? { ...accepted, line: Number(line), lines: Number(lines) }
    : undefined;
}

/** Whether the second was accepted right after the first: the next message, or the next line of the same one. */
export function isNext(first: AcceptedNumber, second: AcceptedNumber): boolean {
  return first.line === undefined
    ? second.line === undefined && second.number === first.number + 1
    : second.number === first.number && second.line === first.line + 1 && second.lines === first.lines;
}

/** The number `by` further on, in the same message if it has lines. */
export function later<T extends AcceptedNumber>(accepted: T, by: number): T {
  return accepted.line === undefined
    ? { ...accepted, number: accepted.number + by }
    : { ...accepted, line: accepted.line + by };
}

/**
 * The numbers of a bundle's events as its header `Casino-Accepted` lists them: `41-45,47,50.3-7/20`. Events without a
 * number are left out.
 * @param texts the header's value of each event
 */
export function acceptedRanges(texts: readonly (string | undefined)[]): string {
  const ranges: string[] = [];
  let first: AcceptedNumber | undefined;
  let last: AcceptedNumber | undefined;
  const close = (): void => {
    if (first !== undefined && last !== undefined) ranges.push(rangeForm(first, last));
  };
  for (const text of texts) {
    const next = text === undefined ? undefined : numberIn(text);
    if (next === undefined) continue;
    if (last === undefined || !isNext(last, next)) {
      close();
      first = next;
    }
    last = next;
  }
  close();
  return ranges.join();
}

/** As `parseAccepted`, for a value of our own: runs for each event of each bundle. */
function numberIn(text: string): AcceptedNumber | undefined {
  const end = text.indexOf(" ");
  const dot = text.indexOf(".");
  if (dot < 0) {
    const number = Number(text.slice(0, end));
    return end < 0 || Number.isNaN(number) ? undefined : { number };
  }
  const slash = text.indexOf("/", dot);
  return {
    number: Number(text.slice(0, dot)),
    line: Number(text.slice(dot + 1, slash)),
    lines: Number(text.slice(slash + 1, end)),
  };
}

function rangeForm(first: AcceptedNumber, last: AcceptedNumber): string {
  if (first.line !== undefined)
    return `${first.number}.${first.line}${first.line === last.line ? "" : `-${last.line}`}/${first.lines}`;
  return first.number === last.number ? String(first.number) : `${first.number}-${last.number}`;
}

const rangeOf = /^([1-9]\d{0,15})(?:-([1-9]\d{0,15})|\.([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?\/([1-9]\d{0,3}))?$/;

/**
 * Parses such a list, which anybody may have written.
 * @param most events that it may list
 * @returns undefined when it is malformed or lists more
 */
export function readRanges(text: string, most: number): readonly AcceptedNumber[] | undefined {
  const numbers: AcceptedNumber[] = [];
  for (const range of text.split(",", most + 1)) {
    const [, start, end = start, line, lastLine = line, lines] = rangeOf.exec(range) ?? [];
    if (start === undefined) return undefined;
    const isLine = line !== undefined;
    const first: AcceptedNumber = isLine
      ? { number: Number(start), line: Number(line), lines: Number(lines) }
      : { number: Number(start) };
    const count = 1 + (isLine ? Number(lastLine) - Number(line) : Number(end) - Number(start));
    const isWithin =
      Number.isSafeInteger(Number(end)) &&
      (!isLine || (Number(lastLine) <= Number(lines) && Number(lines) <= mostEventsPerMessage));
    if (!isWithin || !(count >= 1) || numbers.length + count > most) return undefined;
    for (let by = 0; by < count; by++) numbers.push(later(first, by));
  }
  return numbers;
}
