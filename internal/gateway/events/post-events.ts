import type { FastifyReply, FastifyRequest } from "fastify";
import { decodeRawValue } from "../../casino/decode.ts";
import type { Counts } from "../../http/answer-counts.ts";
import { admit, producerOf } from "../../http/authentication.ts";
import { BodyCut } from "../../http/body.ts";
import { sourceOf } from "../../http/body-source.ts";
import { mediaTypeOf } from "../../http/media-type.ts";
import { submitLines } from "../../http/ndjson.ts";
import type { RouteContext } from "../../http/route-context.ts";
import type { Work } from "../../http/slices.ts";
import { cutOff, largeBytes, parseJson, readWholeBody } from "../../http/whole-body.ts";
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

export interface PostEventsOptions {
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
  const { keys, bodies, slices, stopping } = context;
  const { patienceMs, bodyWithinMs, eventWithinMs } = context.limits;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Counts> => {
    const { client, source } = producerOf(request);
    const mediaType = mediaTypeOf(request, eventTypesTaken);
    const given = request.headers.traceparent;
    const continued = typeof given === "string" && isTraceparent(given) ? given : undefined;
    const span = options.trace?.request(rawSubject(client), continued);
    if (span !== undefined) reply.raw.once("close", () => span.end(reply.statusCode));
    using counted = bodies.open(client, request.ip);
    const submission = new Submission({
      ...options,
      sender: { client, source, traceparent: span?.traceparent ?? continued },
      patienceMs,
    });
    const { raw } = request;

    let unread: Problem | undefined;
    try {
      if (mediaType === ndjsonType) {
        unread = await submitLines(sourceOf(raw), {
          submission,
          counted,
          work: slices.of(client),
          maxLineBytes: maxRawBytes,
          lineWithinMs: bodyWithinMs,
          eventWithinMs,
          checkKey: () => admit(keys, request),
          stopping,
        });
      } else {
        const whenTooLarge = "send fewer events at a time, or NDJSON";
        const body = await readWholeBody(request, counted, context, whenTooLarge);
        const work = body.length > largeBytes ? slices.of(client) : undefined;
        await work?.slice();
        await submitAll(mediaType === jsonType ? jsonEvents(body) : protobufEvents(body), submission, work);
      }
    } catch (err) {
      if (!(err instanceof BodyCut)) throw err;
      // What was read before the client went away stays stored.
      unread = cutOff(err);
    }
    await submission.answered();
    return answer(submission, unread, reply);
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

function answer(submission: Submission, unread: Problem | undefined, reply: FastifyReply): Counts {
  const { failure } = submission;
  const { counts } = submission.counted;
  const { accepted, rejected } = counts;
  if (failure !== undefined)
    throw unavailable(
      `${failure.because}: ${stored(accepted)}. Send all of them again in a moment: ` +
        "an event is final once, however often it is sent.",
      { members: { ...counts }, cause: failure.cause },
    );
  if (unread !== undefined)
    throw new Problem(unread.status, unread.message, { headers: unread.headers, members: { ...counts } });
  if (accepted + rejected.length === 0) throw new Problem(400, "The body holds no event.");
  if (accepted === 0)
    throw new Problem(400, "No event was accepted, because each of them is invalid.", {
      members: { ...counts },
    });
  reply.code(rejected.length === 0 ? 202 : 207);
  return counts;
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
