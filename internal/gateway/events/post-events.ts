import type { FastifyReply, FastifyRequest } from "fastify";
import { decodeRawValue } from "../../casino/decode.ts";
import type { Counts } from "../../http/answer-counts.ts";
import { producerOf } from "../../http/authentication.ts";
import { mediaTypeOf } from "../../http/media-type.ts";
import { submitBody } from "../../http/ndjson.ts";
import type { RouteContext } from "../../http/route-context.ts";
import type { Work } from "../../http/slices.ts";
import { parseJson } from "../../http/whole-body.ts";
import { maxRawBytes } from "../../jetstream/topology.ts";
import { mostEventsPerMessage } from "../../messages/accepted.ts";
import { ndjsonType } from "../../messages/bundle.ts";
import { isTraceparent } from "../../messages/envelope.ts";
import { rawSubject } from "../../messages/subjects.ts";
import type { SourceTrace } from "../../messages/trace.ts";
import { decodeRawProtobuf, protobufType, splitProtobufEvents } from "../../protobuf/decode.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import type { EventBatcher } from "./event-batcher.ts";
import { type EventTypes, type ReadEvent, Submission } from "./submission.ts";

interface PostEventsOptions {
  readonly batcher: EventBatcher;
  readonly types: EventTypes;
  /** How far ahead of the clock an event may be dated, in ms. */
  readonly maxAheadMs: number;
  readonly trace?: SourceTrace | undefined;
}

const mostEvents = mostEventsPerMessage;
const jsonType = "application/json";
/** The media types of `POST /events`. */
export const eventTypesTaken = [jsonType, ndjsonType, protobufType] as const;

/**
 * The handler of `POST /events`: answers once the stream holds every valid event. It reads the body itself, because the
 * framework cannot read one without end.
 */
export function postEvents(options: PostEventsOptions, context: RouteContext) {
  const { patienceMs } = context.limits;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Counts> => {
    const { client, source } = producerOf(request);
    const mediaType = mediaTypeOf(request, eventTypesTaken);
    const given = request.headers.traceparent;
    const continued = typeof given === "string" && isTraceparent(given) ? given : undefined;
    const span = options.trace?.request(rawSubject(client), continued);
    if (span !== undefined) reply.raw.once("close", () => span.end(reply.statusCode));
    using counted = context.bodies.open(client, request.ip);
    const submission = new Submission({
      ...options,
      sender: { client, source, traceparent: span?.traceparent ?? continued },
      patienceMs,
    });
    const unread = await submitBody(request, context, {
      ...{ submission, counted, client, isLines: mediaType === ndjsonType, maxLineBytes: maxRawBytes },
      whenTooLarge: "send fewer events at a time, or NDJSON",
      submitWhole: (body, work) =>
        submitAll(mediaType === jsonType ? jsonEvents(body) : protobufEvents(body), submission, work),
    });
    await submission.answered();
    return submission.counted.conclude(reply, problemOf(submission) ?? unread, { one: "event", status: 202 });
  };
}

async function submitAll(
  events: readonly ReadEvent[],
  submission: Submission,
  work: Work | undefined,
): Promise<void> {
  for (let index = 0; index < events.length && submission.failure === undefined; index++) {
    if (work?.isOver) await work.slice();
    if (!submission.hasRoom) await submission.room();
    const event = events[index];
    if (event !== undefined && submission.failure === undefined) submission.add(index, event);
  }
}

function problemOf({ failure, counted }: Submission): Problem | undefined {
  if (failure === undefined) return undefined;
  const detail =
    `${failure.because}: ${stored(counted.counts.accepted)}. Send all of them again in a moment: ` +
    "an event is final once, however often it is sent.";
  return unavailable(detail, { cause: failure.cause });
}

function stored(count: number): string {
  return count === 1 ? "1 event is known to be stored" : `${count} events are known to be stored`;
}

function jsonEvents(body: Uint8Array): readonly ReadEvent[] {
  const value = parseJson(body);
  const events: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (events.length > mostEvents) throw tooMany();
  return events.map((event) => (types) => decodeRawValue(event, types));
}

function protobufEvents(body: Uint8Array): readonly ReadEvent[] {
  const events = splitProtobufEvents(body, mostEvents);
  if (events === undefined)
    throw new Problem(400, "The body is neither an Event nor an EventBatch of proto/event.proto.");
  if (events.length > mostEvents) throw tooMany();
  return events.map((event) => (types) => decodeRawProtobuf(event, types));
}

function tooMany(): Problem {
  return new Problem(
    413,
    `The body holds more than ${mostEvents} events, the most that are taken: send fewer at a time, or NDJSON.`,
  );
}
