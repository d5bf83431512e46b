import type { IncomingMessage } from "node:http";
import { Problem, unavailable } from "../problem.ts";
import { GrowingBuffer } from "./growing-buffer.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** How long the whole body may take, in ms. */
  readonly withinMs: number;
  /** Aborted when the process stops: a body that is not there yet is no longer waited for. */
  readonly stopping: AbortSignal;
  /** What the sender of too large a body is to do. */
  readonly whenTooLarge: string;
}

/** The client went away, or sent something that is no HTTP, before the end of its body: nobody reads an answer. */
export class BodyCut extends Error {
  override readonly name = "BodyCut";
}

/** A body that takes too long: whoever sends it may hold a connection, but not for ever. */
export function tooSlow(detail: string): Problem {
  return new Problem(408, detail, { headers: { connection: "close" } });
}

/**
 * Reads a whole body.
 * @throws Problem 413 when it is larger, 408 when it takes longer, 503 at a stop; BodyCut when it does not come to its end
 */
export function readBody(
  raw: IncomingMessage,
  { maxBytes, withinMs, stopping, whenTooLarge }: BodyLimits,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const body = new GrowingBuffer();
  const stop = (): void => {
    clearTimeout(timer);
    stopping.removeEventListener("abort", onStop);
    raw.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut);
  };
  const fail = (problem: Error): void => {
    stop();
    raw.on("error", () => undefined).resume();
    reject(problem);
  };
  const onData = (chunk: Buffer): void => {
    if (body.length + chunk.length > maxBytes) fail(tooLarge(maxBytes, whenTooLarge));
    else body.append(chunk);
  };
  const onEnd = (): void => {
    stop();
    resolve(body.bytes());
  };
  const onCut = (cause?: unknown): void => fail(new BodyCut("the body was cut", { cause }));
  const onStop = (): void => fail(unavailable("The gateway is stopping: send it again."));
  const timer = setTimeout(() => fail(tooSlow(`The body took longer than ${withinMs / 1_000} s.`)), withinMs);
  if (Number(raw.headers["content-length"]) > maxBytes) fail(tooLarge(maxBytes, whenTooLarge));
  else if (stopping.aborted) onStop();
  else {
    stopping.addEventListener("abort", onStop);
    raw.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut);
  }
  return promise;
}

function tooLarge(maxBytes: number, advice: string): Problem {
  return new Problem(413, `The body is larger than ${maxBytes / 2 ** 20} MiB: ${advice}.`);
}
