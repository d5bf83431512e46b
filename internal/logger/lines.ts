import type { Writable } from "node:stream";
import type { Durable } from "../jetstream/durable.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { finalStage, stageFilter, stageStream } from "../messages/subjects.ts";

export const loggerDurable: Durable = {
  stream: stageStream(finalStage),
  name: "logger",
  description: "prints final events as lines on stdout",
  filter: stageFilter(finalStage),
  maxAckPending: 10_000,
  repeated: "printed again",
};

const newline = Buffer.from("\n");

/**
 * Writes each event of the mailbox as one line, exactly as stored, and acknowledges it once the system has taken the
 * line. It waits for a slow reader. After a kill, at most the lines of the last batch are written again.
 * @returns "stopped" when the mailbox was stopped, "reader gone" when `out` was closed: events of unwritten lines are
 * still held, so that closing the mailbox hands them back
 * @throws Error in one sentence when `out` fails for another reason; unwritten events are held too
 */
export async function logLines(mailbox: Mailbox, out: Writable): Promise<"stopped" | "reader gone"> {
  // A closed pipe (`| head`) also reports here; unhandled it would end the process.
  out.on("error", () => undefined);
  for (let batch = await mailbox.take(); batch !== undefined; batch = await mailbox.take()) {
    const lines = Buffer.concat(batch.flatMap((delivery) => [delivery.data, newline]));
    // Called back only when everything is written, so no batch is taken before.
    const failure = await new Promise<Error | null | undefined>((resolve) => out.write(lines, resolve));
    if (failure) {
      // Handed back now they would come again at once, to this very mailbox.
      if (isReaderGone(out, failure)) return "reader gone";
      const cause = out.errored ?? failure;
      throw new Error(`stdout cannot be written: ${cause.message}`, { cause });
    }
    for (const delivery of batch) mailbox.ack(delivery);
  }
  return "stopped";
}

/**
 * A write to a closed stream only says that it is closed. The first error tells why; without one nobody wants lines any
 * more.
 */
function isReaderGone(out: Writable, failure: Error): boolean {
  const first = out.errored ?? failure;
  return "code" in first && (first.code === "EPIPE" || first.code === "ERR_STREAM_DESTROYED");
}
