import { GrowingBuffer } from "../records/growing-buffer.ts";
import { Problem, unavailable } from "../service/problem.ts";
import type { OpenBody } from "./body-budget.ts";
import type { BodySource } from "./body-source.ts";

interface BodyLimits {
  /** The budget that it counts against. */
  readonly counted: OpenBody;
  readonly maxBytes: number;
  /** How long the whole body may take, in ms. */
  readonly withinMs: number;
  /** Aborted when the process stops: an incomplete body is no longer waited for. */
  readonly stopping: AbortSignal;
  /** Advice for the sender of a body that is too large. */
  readonly whenTooLarge: string;
}

/**
 * The client went away, or broke the HTTP protocol, before the end of its body. Nobody reads this answer; it explains
 * the line in the log.
 */
export function bodyCut(cause: unknown): Problem {
  return new Problem(400, "The body was cut before its end.", { cause });
}

/** A slow sender may hold a connection, but not for ever. */
export function tooSlow(detail: string): Problem {
  return new Problem(408, detail, { headers: { connection: "close" } });
}

/**
 * Reads a whole body.
 * @throws Problem 413 when it is too large, 408 when it takes too long, 429 or 503 when there is no room for it, 503 at a
 * stop, 400 when it cannot be decompressed or its end never comes
 */
export function readBody(
  { stream, contentLength, overheadBytes, discard }: BodySource,
  { counted, maxBytes, withinMs, stopping, whenTooLarge }: BodyLimits,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const body = new GrowingBuffer(maxBytes);
  const stop = (): void => {
    clearTimeout(timer);
    stopping.removeEventListener("abort", onStop);
    stream.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut);
  };
  const fail = (problem: unknown): void => {
    stop();
    discard();
    reject(problem);
  };
  const onData = (chunk: Buffer): void => {
    try {
      if (body.length + chunk.length > maxBytes) throw tooLarge(maxBytes, whenTooLarge);
      body.append(chunk);
      counted.keep(overheadBytes + body.capacity);
    } catch (err) {
      fail(err);
    }
  };
  const onEnd = (): void => {
    stop();
    resolve(body.bytes());
  };
  const onCut = (cause?: unknown): void => fail(cause instanceof Problem ? cause : bodyCut(cause));
  const onStop = (): void => fail(unavailable("The gateway is stopping: send it again."));
  const timer = setTimeout(() => fail(tooSlow(`The body took longer than ${withinMs / 1_000} s.`)), withinMs);
  if (contentLength > maxBytes) fail(tooLarge(maxBytes, whenTooLarge));
  else if (stopping.aborted) onStop();
  else {
    stopping.addEventListener("abort", onStop);
    stream.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut);
  }
  return promise;
}

function tooLarge(maxBytes: number, advice: string): Problem {
  const most = maxBytes < 2 ** 20 ? `${maxBytes / 2 ** 10} KiB` : `${maxBytes / 2 ** 20} MiB`;
  return new Problem(413, `The body is larger than ${most}: ${advice}.`);
}
