import type { Outgoing } from "../jetstream/publisher.ts";
import { endOfHeaders, OutgoingHeaders, type ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader, acceptedText, parseAccepted, readRanges } from "./accepted.ts";
import { mostEventsPerBundle } from "./bundle.ts";
import { replaysHeader } from "./envelope.ts";
import { deadSubject, isBundleSubject, isRawSubject, partSubject } from "./subjects.ts";

/** Why an event was set aside, as a code; docs/guarantees.md explains each. */
export const deadReasons = [
  "invalid_json",
  "invalid_event",
  "unknown_client",
  "unknown_type",
  "unsupported_currency",
  "too_large",
  "max_deliveries",
  "delivery_failed",
] as const;
export type DeadReason = (typeof deadReasons)[number];

/** A letter's original headers beyond this many bytes are cut. */
const maxOriginalHeaderBytes = 16 * 1024;
const maxErrorLength = 1000;
/** Most bytes of the header line that reports a cut. */
const cutHeaderBytes = 64;

/** What a letter is made from; a delivery qualifies. */
export interface DeadMessage {
  readonly stream: string;
  readonly streamSequence: number;
  readonly storedAt: number;
  readonly deliveries: number;
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  readonly data: Uint8Array;
  /** For one event of several, or one that was moved: what its message as a whole does not tell. */
  readonly event?: {
    /** The header `Casino-Accepted`; undefined for what never was in CASINO_RAW. */
    readonly accepted: string | undefined;
    /** How often it was replayed; undefined = never. */
    readonly replays: string | undefined;
    /** Of a bundle: its line, from 1. */
    readonly line: number | undefined;
  };
}

/** The accepted number of a message; for an unreadable bundle, its whole list. */
function acceptedOf(message: DeadMessage): string | undefined {
  if (message.event !== undefined) return message.event.accepted;
  if (!isBundleSubject(message.subject)) return acceptedText(message);
  const ranges = message.headers.get(acceptedHeader);
  return readRanges(ranges, mostEventsPerBundle) === undefined ? undefined : ranges;
}

/** What a letter says beside its message. */
export interface LetterTerms {
  /** How often the event was replayed before; undefined = never. */
  readonly replays?: string | undefined;
  /** Most bytes that the broker takes, headers included. */
  readonly maxBytes?: number;
  /** Sequences in CASINO_DEAD that hold its bytes, where they do not fit into the letter itself. */
  readonly parts?: readonly number[];
  /** Suffix of its id, where a letter of that id has vanished without a trace. */
  readonly again?: string;
}

/**
 * The dead letter of a message: its original bytes and headers, and what people need to act on it. Its id names the
 * event, the step and how often the event was replayed, so setting it aside twice stores it once.
 * @param because one sentence
 */
export function deadLetterOf(
  message: DeadMessage,
  step: string,
  client: string,
  reason: DeadReason,
  because: string,
  { replays, maxBytes = Number.POSITIVE_INFINITY, parts, again = "" }: LetterTerms = {},
): Outgoing {
  const { stream, streamSequence, deliveries, subject, data } = message;
  const accepted = acceptedOf(message);
  const letter = new OutgoingHeaders()
    // First, because nats-server before 2.11 honours only the first header of that name, and the producer's own
    // headers follow.
    .add("Nats-Msg-Id", `${letterId(message, step, replays)}${again}`)
    .add("Casino-Dead-Step", step)
    .add("Casino-Dead-Reason", reason)
    .add("Casino-Dead-Error", because.slice(0, maxErrorLength))
    .add("Casino-Dead-Subject", subject)
    .add("Casino-Dead-Message", `${stream}:${streamSequence}`)
    .add("Casino-Dead-Deliveries", String(deliveries))
    .add("Casino-Dead-At", new Date().toISOString());
  if (accepted !== undefined) letter.add(acceptedHeader, accepted);
  if (replays !== undefined) letter.add(replaysHeader, replays);
  if (parts !== undefined)
    letter.add("Casino-Dead-Parts", parts.join()).add("Casino-Dead-Size", String(data.length));
  const payload = parts === undefined ? data : new Uint8Array();
  const room = maxBytes - payload.length - sizeOf(letter) - cutHeaderBytes;
  addOriginals(letter, message, Math.min(maxOriginalHeaderBytes, room));
  return { subject: deadSubject(step, client), payload, headers: letter };
}

/** Whether a message is small enough for the broker. */
export function fits({ payload, headers }: Outgoing, maxBytes: number): boolean {
  return Buffer.byteLength(payload) + sizeOf(headers) <= maxBytes;
}

/** The parts in which the bytes of a message are stored that do not fit into its letter. */
export function* partsOf(letter: Outgoing, id: string, data: Uint8Array, size: number): Generator<Outgoing> {
  for (let from = 0, part = 1; from < data.length; from += size, part++)
    yield {
      subject: partSubject(letter.subject),
      payload: data.subarray(from, from + size),
      headers: new OutgoingHeaders().add("Nats-Msg-Id", `${id}:${part}`),
    };
}

const sizeOf = (headers: OutgoingHeaders): number => Buffer.byteLength(headers.text) + endOfHeaders.length;

/**
 * `<when accepted, in ms>:<number>:<step>:<replays>:dead`. The time distinguishes successive streams called
 * CASINO_RAW, each with a number 1.
 */
export function letterId(message: DeadMessage, step: string, replays = "0"): string {
  const text = acceptedOf(message) ?? "";
  const accepted = parseAccepted(text);
  const { stream, streamSequence, storedAt } = message;
  const name =
    accepted === undefined
      ? `${storedAt}:${stream}/${streamSequence}${message.event?.line === undefined ? "" : `.${message.event.line}`}`
      : `${accepted.at}:${text.slice(0, text.indexOf(" "))}`;
  return `${name}:${step}:${replays}:dead`;
}

/** What a letter needs to be replayed as the event it was: kept before all other headers. */
const identity = ["Casino-Source", "Content-Type", "traceparent", "Casino-Rate", "Casino-Rate-At"];
/** Set by the letter itself, or by the broker. */
const ours = /^(nats-|casino-dead-|casino-accepted$|casino-replays?$)/i;
const oursFromTheFirstStep = /^casino-rate/i;

/**
 * All other headers as far as they fit, and how many did not. At the first step, our header names are not the
 * producer's to use.
 */
function addOriginals(letter: OutgoingHeaders, { subject, headers }: DeadMessage, room: number): void {
  const isRaw = isRawSubject(subject);
  const all = [...headers.entries()].filter(
    ([name]) => !ours.test(name) && !(isRaw && oursFromTheFirstStep.test(name)),
  );
  const isIdentity = ([name]: readonly [string, string]) => identity.includes(name);
  let bytes = 0;
  let cut = 0;
  for (const [name, value] of [...all.filter(isIdentity), ...all.filter((header) => !isIdentity(header))]) {
    const size = Buffer.byteLength(name) + Buffer.byteLength(value) + "\r\n: ".length;
    if (bytes + size > room) cut++;
    else {
      bytes += size;
      letter.add(name, value);
    }
  }
  if (cut > 0) letter.add("Casino-Dead-Cut", `${cut} ${cut === 1 ? "header" : "headers"}`);
}
