import { randomFillSync } from "node:crypto";
import { isClient, isSource } from "../casino/event.ts";
import { isRate } from "../casino/money.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import { acceptedHeader, acceptedText } from "../jetstream/accepted.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { clientOf, rawSubject } from "../jetstream/subjects.ts";
import { OutgoingHeaders, type ReceivedHeaders } from "../jetstream/wire-headers.ts";
import type { AppliedRate } from "./step.ts";

/** What travels beside the event, in subject and headers: whose it is, who sent it, its trace, the rate it was priced at. */
export interface Envelope {
  readonly client: string;
  readonly source: string;
  readonly traceparent: string;
  readonly rate?: AppliedRate;
  /** How often it was sent again from the dead letters; absent = never. */
  readonly replays?: string;
  /** The header `Casino-Accepted`; absent for what never was in CASINO_RAW. */
  readonly accepted?: string;
}

/** An envelope that cannot be accepted. */
export interface BadEnvelope {
  readonly reason: "unknown_client" | "invalid_event";
  readonly because: string;
}

/** The source of an event that names none. */
export const defaultSource = "nats";

// W3C Trace Context, version 00.
const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Reads a message's envelope. A message without a valid traceparent gets a new one: every event can be traced. */
export function readEnvelope(delivery: Delivery): Envelope | BadEnvelope {
  const client = clientOf(delivery.subject);
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
  const rate = delivery.subject.startsWith(rawSubjects) ? undefined : rateOf(given);
  const replays = given.get("Casino-Replays");
  const accepted = acceptedText(delivery);
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    client,
    source,
    traceparent: isTraceparent(traceparent) ? traceparent : newTraceparent(),
  };
  // Not by spreading what there is: that takes as long as all the rest.
  if (rate !== undefined) envelope.rate = rate;
  if (replaysForm.test(replays)) envelope.replays = replays;
  if (accepted !== undefined) envelope.accepted = accepted;
  return envelope;
}

const replaysForm = /^\d{1,9}$/;

const rawSubjects = rawSubject("");

/** The rate that the currency step used. A producer's word on it counts for nothing, and neither does what is no rate. */
function rateOf(given: ReceivedHeaders): AppliedRate | undefined {
  const value = given.get("Casino-Rate");
  if (value === "" || !isRate(value)) return undefined;
  const at = parseTimestamp(given.get("Casino-Rate-At"));
  return at === undefined ? undefined : { value, at };
}

/** Whether a text continues a trace: version 00 of W3C Trace Context, ids not all zeros. */
export const isTraceparent = (text: string): boolean => traceparentForm.test(text);

/** The headers of an event on its way to `stage`; the message id makes publishing it twice harmless. */
export function writeEnvelope(envelope: Envelope, id: number, stage: string): OutgoingHeaders {
  const { client, source, traceparent, rate, replays, accepted } = envelope;
  const message = new OutgoingHeaders()
    .add("Nats-Msg-Id", `${client}:${source}:${id}:${stage}`)
    .add("Casino-Source", source)
    .add("traceparent", traceparent);
  if (accepted !== undefined) message.add(acceptedHeader, accepted);
  if (replays !== undefined) message.add("Casino-Replays", replays);
  return rate === undefined ? message : message.add("Casino-Rate", rate.value).add("Casino-Rate-At", rate.at);
}

const idBytes = 24;
// Asking the system for random bytes costs more than the rest of an event's headers: for many traces at once.
const random = Buffer.alloc(512 * idBytes);
let randomUsed = random.length;

/** The start of a new trace, sampled. */
export function newTraceparent(): string {
  if (randomUsed === random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  const id = random.toString("hex", randomUsed, randomUsed + idBytes);
  randomUsed += idBytes;
  return `00-${id.slice(0, 32)}-${id.slice(32)}-01`;
}
