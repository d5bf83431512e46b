import { randomBytes } from "node:crypto";
import { headers, type MsgHdrs } from "nats";
import { isClient, isSource } from "../casino/event.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { parseEventSubject } from "../jetstream/subjects.ts";
import type { AppliedRate } from "./step.ts";

/** What travels beside the event, in subject and headers: whose it is, who sent it, its trace, the rate it was priced at. */
export interface Envelope {
  readonly client: string;
  readonly source: string;
  readonly traceparent: string;
  readonly rate?: AppliedRate;
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
  const client = parseEventSubject(delivery.subject)?.client ?? "";
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
  const value = given.get("Casino-Rate");
  return {
    client,
    source,
    traceparent: traceparentForm.test(traceparent) ? traceparent : newTraceparent(),
    ...(value === "" ? {} : { rate: { value, at: given.get("Casino-Rate-At") } }),
  };
}

/** The headers of an event on its way to `stage`; the message id makes publishing it twice harmless. */
export function writeEnvelope(envelope: Envelope, id: number, stage: string): MsgHdrs {
  const message = headers();
  message.set("Nats-Msg-Id", `${envelope.client}:${envelope.source}:${id}:${stage}`);
  message.set("Casino-Source", envelope.source);
  message.set("traceparent", envelope.traceparent);
  if (envelope.rate !== undefined) {
    message.set("Casino-Rate", envelope.rate.value);
    message.set("Casino-Rate-At", envelope.rate.at);
  }
  return message;
}

/** The start of a new trace, sampled. */
export function newTraceparent(): string {
  const id = randomBytes(24).toString("hex");
  return `00-${id.slice(0, 32)}-${id.slice(32)}-01`;
}
