import { randomFillSync } from "node:crypto";
import { isClient, isSource } from "../casino/event.ts";
import { isRate } from "../casino/money.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader, acceptedText } from "./accepted.ts";
import { eventMessageId } from "./event-key.ts";
import { clientOf, finalStage, isRawSubject, parseApartSubject, rawStage } from "./subjects.ts";

/** The exchange rate that was used: units of the currency per euro as decimal text, and its time. */
export interface AppliedRate {
  readonly value: string;
  readonly at: string;
}

/** What travels beside the event, in subject and headers: its client, source, trace, and the rate it was priced at. */
export interface Envelope {
  readonly client: string;
  readonly source: string;
  readonly traceparent: string;
  readonly rate?: AppliedRate;
  /** How often it was replayed from the dead letters; absent = never. */
  readonly replays?: string;
  /** The header `Casino-Accepted`; absent for what never was in CASINO_RAW. */
  readonly accepted?: string;
}

/** A message as stored, without its payload. */
type EnvelopedMessage = Pick<Delivery, "subject" | "headers" | "streamSequence" | "storedAt">;

/** When the event was accepted, in ms since the epoch; NaN for what never was in CASINO_RAW. */
export function acceptedAt({ accepted = "" }: Envelope): number {
  return accepted === "" ? Number.NaN : Number(accepted.slice(accepted.indexOf(" ") + 1));
}

/** An envelope that cannot be accepted. */
export interface BadEnvelope {
  readonly reason: "unknown_client" | "invalid_event";
  readonly because: string;
}

/**
 * How often a message was replayed from the dead letters. On the message itself, so that a new letter of it has it
 * too.
 */
export const replaysHeader = "Casino-Replays";

/** The source of an event that names none. */
export const defaultSource = "nats";

// W3C Trace Context, version 00.
const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Reads a message's envelope. A message without a valid traceparent gets a new one, so that every event can be
 * traced. In a raw message only headers that producers may set count: not rate, not replays.
 */
export function readEnvelope(delivery: EnvelopedMessage): Envelope | BadEnvelope {
  const client = parseApartSubject(delivery.subject)?.client ?? clientOf(delivery.subject);
  if (!isClient(client))
    return {
      reason: "unknown_client",
      because: `The subject's client "${client.slice(0, 60)}" is not of the form [a-z0-9-]{1,40}.`,
    };
  const given = delivery.headers;
  const source = given.get("Casino-Source") || defaultSource;
  if (!isSource(source))
    return {
      reason: "invalid_event",
      because: "The header Casino-Source is not of the form [A-Za-z0-9._-]{1,64}.",
    };
  const traceparent = given.get("traceparent");
  const isRaw = isRawSubject(delivery.subject);
  const accepted = acceptedText(delivery);
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    client,
    source,
    traceparent: isTraceparent(traceparent) ? traceparent : newTraceparent(),
  };
  // Spreading the object would take as long as all the rest.
  if (!isRaw) {
    const value = given.get("Casino-Rate");
    const rate = value === "" ? undefined : readRate(value, given.get("Casino-Rate-At"));
    if (rate !== undefined) envelope.rate = rate;
    const replays = given.get(replaysHeader);
    if (isReplays(replays)) envelope.replays = replays;
  }
  if (accepted !== undefined) envelope.accepted = accepted;
  return envelope;
}

const replaysForm = /^[1-9]\d{0,8}$/;

/** Whether a text is a valid count of replays. */
export const isReplays = (text: string): boolean => replaysForm.test(text);

/** The rate that the currency step used; a malformed one is ignored. */
export function readRate(value: string, givenAt: string): AppliedRate | undefined {
  // Neighbours mostly share a rate, and parsing one takes as long as the rest of an envelope.
  if (value === lastRate.value && givenAt === lastRate.givenAt) return lastRate.rate;
  const at = isRate(value) ? parseTimestamp(givenAt) : undefined;
  const rate = at === undefined ? undefined : { value, at };
  lastRate = { value, givenAt, rate };
  return rate;
}

let lastRate: {
  readonly value: string;
  readonly givenAt: string;
  readonly rate: AppliedRate | undefined;
} = { value: "", givenAt: "", rate: undefined };

/** Whether a text continues a trace: version 00 of W3C Trace Context, ids not all zeros. */
export const isTraceparent = (text: string): boolean => traceparentForm.test(text);

/**
 * The headers of an event on its way to `stage`. The message id makes publishing it twice harmless. On the way to the
 * log it names the event, because the log enforces identity. Before, it is made of the event's CASINO_RAW number,
 * which no producer can choose. A raw message has none: producers would choose the keys of a memory that all clients
 * share.
 */
export function writeEnvelope(envelope: Envelope, id: number, stage: string): OutgoingHeaders {
  const { client, source, accepted } = envelope;
  const message = new OutgoingHeaders();
  // First of all: nats-server before 2.11 takes the first place of its name for the only one.
  if (stage === finalStage) message.add("Nats-Msg-Id", eventMessageId({ client, source, id }, stage));
  else if (stage !== rawStage && accepted !== undefined) message.add("Nats-Msg-Id", `${accepted}:${stage}`);
  return addIdentity(message, envelope);
}

/** Adds the headers that say of an event what its body does not. */
export function addIdentity(
  message: OutgoingHeaders,
  { source, traceparent, rate, replays, accepted }: Envelope,
): OutgoingHeaders {
  message.add("Casino-Source", source).add("traceparent", traceparent);
  if (accepted !== undefined) message.add(acceptedHeader, accepted);
  if (replays !== undefined) message.add(replaysHeader, replays);
  return rate === undefined ? message : message.add("Casino-Rate", rate.value).add("Casino-Rate-At", rate.at);
}

const idBytes = 24;
// Asking the system for random bytes costs more than the rest of an event's headers: for many traces at once.
const random = Buffer.alloc(512 * idBytes);
let randomUsed = random.length;

/**
 * The start of a trace that is not sampled, because nobody records it: where traces are on, they begin with a span.
 * The flag has its price: nats-server 2.11 and newer make a map of all headers of a sampled message, a sixth of what
 * a publish costs them.
 */
export function newTraceparent(): string {
  if (randomUsed === random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  const id = random.toString("hex", randomUsed, randomUsed + idBytes);
  randomUsed += idBytes;
  return `00-${id.slice(0, 32)}-${id.slice(32)}-00`;
}
