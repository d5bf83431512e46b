import type { FastifyRequest } from "fastify";
import { type Line, LineSplitter } from "../records/line-splitter.ts";
import { Problem, unavailable } from "../service/problem.ts";
import type { AnswerCounts } from "./answer-counts.ts";
import { admit } from "./authentication.ts";
import { bodyCut, tooSlow } from "./body.ts";
import type { OpenBody } from "./body-budget.ts";
import { type BodySource, sourceOf } from "./body-source.ts";
import type { RouteContext } from "./route-context.ts";
import type { Work } from "./slices.ts";
import { largeBytes, readWholeBody } from "./whole-body.ts";

/** Takes the lines of a body. */
export interface LineSink {
  /** Once it is set, no more lines are read. */
  readonly failure: unknown;
  readonly counted: Pick<AnswerCounts, "named">;
  /** Whether a line may be added now; if not, await `room` first. */
  readonly hasRoom: boolean;
  /** Resolves once there is room, or with a `failure`. */
  room(): Promise<void>;
  addLine(index: number, line: Uint8Array): void;
  /** Notes a line that is too long. */
  addTooLarge(index: number): void;
  /** Await it after adding all lines that have arrived. */
  decided(): Promise<void>;
}

interface NdjsonOptions {
  readonly submission: LineSink;
  /** The budget that it counts against. */
  readonly counted: OpenBody;
  readonly work: Work;
  readonly maxLineBytes: number;
  /** How long the next complete line may take, in ms, while we are ready for it; a blank one counts. */
  readonly lineWithinMs: number;
  /** How long the next line that is not blank may take, in ms. */
  readonly eventWithinMs: number;
  /** Throws a Problem once the key is no longer good. */
  readonly checkKey: () => Promise<unknown>;
  /** Aborted when the process stops: what was read so far is answered. */
  readonly stopping: AbortSignal;
}

/** What the stream has read ahead, and the rest of an upload. */
const bytesOfUpload = 64 * 1024;
/** Bytes of a refused line that the answer names. */
const bytesOfRejected = 500;
const mostBlanks = 1_000;
const checkKeyEveryMs = 1_000;

/**
 * Submits the lines of a body of any length as they arrive. It reads on only while there is room, which slows the sender
 * down to the receiver's pace, and keeps nothing but the unfinished line. Blank lines keep the request open for some
 * time.
 * @returns why the rest of the body was not read, undefined at its end
 */
async function submitLines(
  { stream, overheadBytes, discard }: BodySource,
  options: NdjsonOptions,
): Promise<Problem | undefined> {
  const { submission, counted, maxLineBytes, lineWithinMs, eventWithinMs, checkKey, stopping } = options;
  const splitter = new LineSplitter(maxLineBytes);
  // By default, stopping early would close the connection before our answer is sent.
  const chunks = stream.iterator({ destroyOnReturn: false });
  const began = performance.now();
  let [lineBy, eventBy, checkKeyAt] = [began + lineWithinMs, began + eventWithinMs, began + checkKeyEveryMs];
  try {
    for (;;) {
      counted.keep(
        overheadBytes + bytesOfUpload + splitter.capacity + submission.counted.named * bytesOfRejected,
      );
      const next = await nextChunk(chunks, Math.min(lineBy, eventBy) - performance.now(), stopping);
      if (next === "stopping")
        return unavailable("The gateway is stopping: send again what is not among these counts.");
      if (next === "late" && eventBy < lineBy)
        return tooSlow(`Only blank lines came for ${eventWithinMs / 60_000} minutes.`);
      if (next === "late") return tooSlow(`The next line took longer than ${lineWithinMs / 1_000} s.`);
      if (performance.now() >= checkKeyAt) {
        await checkKey();
        checkKeyAt = performance.now() + checkKeyEveryMs;
      }
      const { lines } = splitter;
      const any = await submitAll(next === undefined ? splitter.end() : splitter.push(next), options);
      if (submission.failure !== undefined || next === undefined) return undefined;
      if (splitter.blanks > mostBlanks)
        return new Problem(400, `The body has more than ${mostBlanks} blank lines one after the other.`);
      const now = performance.now();
      if (splitter.lines > lines) lineBy = now + lineWithinMs;
      if (any) eventBy = now + eventWithinMs;
    }
  } catch (err) {
    // No room, a key that is no longer good, invalid gzip, or the client went away; what was taken before stays.
    if (err instanceof Problem) return err;
    throw err;
  } finally {
    stream.on("error", () => undefined);
    // It ends after the chunk it may still be waiting for; then the rest is discarded.
    void chunks.return?.().then(discard, discard);
  }
}

/** What an upload is, beside its lines. */
export interface UploadOptions extends Pick<NdjsonOptions, "submission" | "counted" | "maxLineBytes"> {
  readonly client: string;
  readonly isLines: boolean;
  /** Submits a body that is not lines. @param work of a body that is too large for one go */
  readonly submitWhole: (body: Uint8Array, work: Work | undefined) => Promise<void>;
  /** Advice for the sender of a body that is too large. */
  readonly whenTooLarge: string;
}

/**
 * Submits the items of a body: lines as they arrive, anything else once it is complete.
 * @returns why the rest of the body was not read, undefined at its end
 * @throws Problem as `readWholeBody`
 */
export async function submitBody(
  request: FastifyRequest,
  context: RouteContext,
  { client, isLines, submitWhole, whenTooLarge, ...options }: UploadOptions,
): Promise<Problem | undefined> {
  const { keys, limits, slices, stopping } = context;
  const work = slices.of(client);
  if (isLines)
    return submitLines(sourceOf(request.raw), {
      ...options,
      work,
      lineWithinMs: limits.bodyWithinMs,
      eventWithinMs: limits.eventWithinMs,
      checkKey: () => admit(keys, request),
      stopping,
    });
  const body = await readWholeBody(request, options.counted, context, whenTooLarge);
  const isLarge = body.length > largeBytes;
  if (isLarge) await work.slice();
  await submitWhole(body, isLarge ? work : undefined);
  return undefined;
}

/** @returns whether these contain a complete line */
async function submitAll(lines: Iterable<Line>, { submission, work }: NdjsonOptions): Promise<boolean> {
  let any = false;
  for (const [index, line] of lines) {
    any = true;
    if (work.isOver) await work.slice();
    if (!submission.hasRoom) await submission.room();
    if (submission.failure !== undefined) break;
    if (line === undefined) submission.addTooLarge(index);
    else submission.addLine(index, line);
  }
  await submission.decided();
  return any;
}

/** The next chunk, undefined at the end. @throws Problem when the upload is cut or cannot be decompressed */
async function nextChunk(
  chunks: AsyncIterator<Buffer>,
  withinMs: number,
  stopping: AbortSignal,
): Promise<Buffer | undefined | "late" | "stopping"> {
  if (stopping.aborted) return "stopping";
  const { promise, resolve } = Promise.withResolvers<"late" | "stopping">();
  const late = setTimeout(resolve, withinMs, "late");
  const stop = (): void => resolve("stopping");
  stopping.addEventListener("abort", stop);
  const chunk = chunks.next().then(
    ({ value }: IteratorResult<Buffer, undefined>) => value,
    (cause: unknown) => {
      throw cause instanceof Problem ? cause : bodyCut(cause);
    },
  );
  try {
    return await Promise.race([chunk, promise]);
  } finally {
    // A read that lost the race may still fail.
    chunk.catch(() => undefined);
    clearTimeout(late);
    stopping.removeEventListener("abort", stop);
  }
}
