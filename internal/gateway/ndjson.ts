import type { IncomingMessage } from "node:http";
import { decodeRaw } from "../casino/decode.ts";
import { maxRawBytes } from "../jetstream/topology.ts";
import { type Problem, unavailable } from "../problem.ts";
import { BodyCut, tooSlow } from "./body.ts";
import { type Line, LineSplitter } from "./line-splitter.ts";
import type { Submission } from "./submission.ts";

export interface NdjsonOptions {
  readonly submission: Submission;
  /** How long the next whole line may take, in ms, while we are ready for it. */
  readonly lineWithinMs: number;
  /** Aborted when the process stops: what was read so far is answered. */
  readonly stopping: AbortSignal;
}

/**
 * Submits the events of a body of any length, one per line, as they come. Reads on only while there is room, which slows
 * the sender down to the broker's pace; keeps no more than the unfinished line.
 * @returns why the rest of the body was not read, undefined at its end
 */
export async function submitLines(
  raw: IncomingMessage,
  options: NdjsonOptions,
): Promise<Problem | undefined> {
  const { submission, lineWithinMs, stopping } = options;
  const splitter = new LineSplitter(maxRawBytes);
  // The default would end the connection when we stop early, and with it our answer.
  const chunks = raw.iterator({ destroyOnReturn: false });
  try {
    for (let deadline = performance.now() + lineWithinMs; ; ) {
      const next = await nextChunk(chunks, deadline - performance.now(), stopping);
      if (next === "stopping")
        return unavailable("The gateway is stopping: send the events again that are not among these counts.");
      if (next === "late") return tooSlow(`The next line took longer than ${lineWithinMs / 1_000} s.`);
      const any = await submitAll(next === undefined ? splitter.end() : splitter.push(next), submission);
      if (submission.failure !== undefined || next === undefined) return undefined;
      if (any) deadline = performance.now() + lineWithinMs;
    }
  } finally {
    raw.on("error", () => undefined);
    // It ends after the chunk it may still be waiting for; only then is the rest read and thrown away.
    void chunks.return?.().then(() => raw.resume());
  }
}

/** @returns whether there was any line among these */
async function submitAll(lines: Iterable<Line>, submission: Submission): Promise<boolean> {
  let any = false;
  for (const [index, line] of lines) {
    any = true;
    if (!submission.hasRoom) await submission.room();
    if (submission.failure !== undefined) break;
    if (line === undefined) submission.addTooLarge(index);
    else submission.add(index, (types) => decodeRaw(line, types));
  }
  await submission.decided();
  return any;
}

/** The next chunk, undefined at the end. @throws BodyCut */
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
      throw new BodyCut("the upload was cut", { cause });
    },
  );
  try {
    return await Promise.race([chunk, promise]);
  } finally {
    // When it lost the race it may still fail.
    chunk.catch(() => undefined);
    clearTimeout(late);
    stopping.removeEventListener("abort", stop);
  }
}
