import { isClient, isSource } from "../casino/event.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { isObject, readJson } from "../service/json.ts";
import { acceptedHeader, acceptedRanges, parseAccepted } from "./accepted.ts";
import { type Envelope, isReplays, isTraceparent, newTraceparent, readRate } from "./envelope.ts";
import { bundleSubject } from "./subjects.ts";

// A bundle: the events that a step has in hand at once, forwarded in one message. Broker and clients pay by the
// message.

/** The media type of a bundle, and of a raw message with one event per line. */
export const ndjsonType = "application/x-ndjson";

/** Header of a bundle: how many events it carries. */
export const countHeader = "Casino-Count";

/** Most events of a bundle, and most bytes of its lines. */
export const mostEventsPerBundle = 256;
export const mostBytesPerBundle = 256 * 1024;

/** One line: the event's envelope and the event. Nothing in an envelope needs escaping in JSON. */
export function bundleLine(envelope: Envelope, eventText: string): string {
  const { client, source, accepted, traceparent, rate, replays } = envelope;
  const optional =
    (accepted === undefined ? "" : `"accepted":"${accepted}",`) +
    `"traceparent":"${traceparent}",` +
    (rate === undefined ? "" : `"rate":"${rate.value}","rate_at":"${rate.at}",`) +
    (replays === undefined ? "" : `"replays":"${replays}",`);
  return `{"client":"${client}","source":"${source}",${optional}"event":${eventText}}\n`;
}

/**
 * The message that carries these lines.
 * @param accepted the header `Casino-Accepted` of each event
 * @param id makes publishing it twice harmless
 */
export function bundleMessage(
  stage: string,
  lines: readonly string[],
  accepted: readonly (string | undefined)[],
  id: string,
): Outgoing {
  const headers = new OutgoingHeaders()
    // First, because nats-server before 2.11 honours only the first header of that name.
    .add("Nats-Msg-Id", id)
    .add("Content-Type", ndjsonType)
    .add(countHeader, String(lines.length));
  const ranges = acceptedRanges(accepted);
  if (ranges !== "") headers.add(acceptedHeader, ranges);
  return { subject: bundleSubject(stage), payload: lines.join(""), headers };
}

export interface BundledEvent {
  readonly envelope: Envelope;
  /** The event, parsed but not validated. */
  readonly event: unknown;
}

/** Parses a line. @returns a sentence for a line that no step has written */
export function readBundleLine(line: Uint8Array): BundledEvent | string {
  const body = readJson(Buffer.from(line.buffer, line.byteOffset, line.length).toString());
  if (body === undefined) return "The line is not JSON.";
  if (!isObject(body)) return "The line is not a JSON object.";
  const { client, source, accepted, traceparent, rate, rate_at, replays, event } = body;
  if (typeof client !== "string" || !isClient(client)) return "/client is not a client's name.";
  if (typeof source !== "string" || !isSource(source)) return "/source is not a source's name.";
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    client,
    source,
    traceparent:
      typeof traceparent === "string" && isTraceparent(traceparent) ? traceparent : newTraceparent(),
  };
  if (typeof accepted === "string" && parseAccepted(accepted) !== undefined) envelope.accepted = accepted;
  const applied =
    typeof rate === "string" && typeof rate_at === "string" ? readRate(rate, rate_at) : undefined;
  if (applied !== undefined) envelope.rate = applied;
  if (typeof replays === "string" && isReplays(replays)) envelope.replays = replays;
  return { envelope, event };
}
