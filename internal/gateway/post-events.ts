import type { FastifyReply, FastifyRequest } from "fastify";
import { isTraceparent } from "../actor/envelope.ts";
import { decodeRawValue } from "../casino/decode.ts";
import { Problem, unavailable } from "../problem.ts";
import { parseProtobufEvents, protobufType } from "../protobuf/decode.ts";
import { producerOf } from "./authentication.ts";
import { BodyCut, readBody } from "./body.ts";
import { mediaTypeOf } from "./media-type.ts";
import { submitLines } from "./ndjson.ts";
import type { Outbox } from "./outbox.ts";
import { type Counts, type EventTypes, Submission } from "./submission.ts";

export interface PostEventsOptions {
  readonly outbox: Outbox;
  readonly types: EventTypes;
  /** How long to wait for the broker, in ms. */
  readonly patienceMs: number;
  /** How long a body, or the next line of one, may take, in ms. */
  readonly bodyWithinMs: number;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
}

const mostEvents = 1_000;
const maxBodyBytes = 2 ** 20;
const jsonType = "application/json";
const ndjsonType = "application/x-ndjson";
/** What `POST /events` takes. */
export const eventTypesTaken = [jsonType, ndjsonType, protobufType] as const;

/**
 * The handler of `POST /events`: answers once the stream holds every event that it could take. The body is read here and
 * not by the framework, because it may be without end.
 */
export function postEvents(options: PostEventsOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Counts> => {
    const { client, source } = producerOf(request);
    const mediaType = mediaTypeOf(request, eventTypesTaken);
    const given = request.headers.traceparent;
    const traceparent = typeof given === "string" && isTraceparent(given) ? given : undefined;
    const { outbox, types, patienceMs, bodyWithinMs, stopping } = options;
    const submission = new Submission({ outbox, types, sender: { client, source, traceparent }, patienceMs });
    const { raw } = request;

    let unread: Problem | undefined;
    try {
      if (mediaType === ndjsonType) {
        unread = await submitLines(raw, { submission, lineWithinMs: bodyWithinMs, stopping });
      } else {
        const body = await readBody(raw, {
          maxBytes: maxBodyBytes,
          withinMs: bodyWithinMs,
          stopping,
          whenTooLarge: "send fewer events at a time, or NDJSON",
        });
        await submitAll(mediaType === jsonType ? jsonEvents(body) : protobufEvents(body), submission);
      }
    } catch (err) {
      if (!(err instanceof BodyCut)) throw err;
      // Nobody reads this; what was read before the cut is stored all the same.
      unread = new Problem(400, "The body was cut before its end.", { cause: err });
    }
    await submission.answered();
    return answer(submission, unread, reply);
  };
}

async function submitAll(events: readonly unknown[], submission: Submission): Promise<void> {
  if (events.length > mostEvents)
    throw new Problem(
      413,
      `The body holds ${events.length} events, and at most ${mostEvents} are taken: send fewer at a time, or NDJSON.`,
    );
  for (let index = 0; index < events.length && submission.failure === undefined; index++) {
    if (!submission.hasRoom) await submission.room();
    if (submission.failure === undefined)
      submission.add(index, (types) => decodeRawValue(events[index], types));
  }
}

function answer(submission: Submission, unread: Problem | undefined, reply: FastifyReply): Counts {
  const { counts, failure } = submission;
  const { accepted, duplicates, rejected } = counts;
  if (failure !== undefined)
    throw unavailable(
      `${failure.because}: ${stored(accepted + duplicates)}. Send all of them again in a moment: ` +
        "what is stored already is not stored twice.",
      { members: { ...counts }, cause: failure.cause },
    );
  if (unread !== undefined)
    throw new Problem(unread.status, unread.message, { headers: unread.headers, members: { ...counts } });
  if (accepted + duplicates + rejected.length === 0) throw new Problem(400, "The body holds no event.");
  if (accepted + duplicates === 0)
    throw new Problem(400, "No event was accepted, because each of them is invalid.", {
      members: { ...counts },
    });
  reply.code(rejected.length === 0 ? 202 : 207);
  return counts;
}

function stored(count: number): string {
  return count === 1 ? "1 event is known to be stored" : `${count} events are known to be stored`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function jsonEvents(body: Uint8Array): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(body));
  } catch {
    // The parser's own message quotes the body.
    throw new Problem(400, "The body is not JSON in UTF-8.");
  }
  return Array.isArray(value) ? value : [value];
}

function protobufEvents(body: Uint8Array): readonly unknown[] {
  const events = parseProtobufEvents(body);
  if (events !== undefined) return events;
  throw new Problem(400, "The body is neither an Event nor an EventBatch of proto/event.proto.");
}
