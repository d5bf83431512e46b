import type { Writable } from "node:stream";
import type { Durable } from "../jetstream/durable.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { finalStage, stageFilter, stageStream } from "../jetstream/subjects.ts";

export const loggerDurable: Durable = {
  stream: stageStream(finalStage),
  name: "logger",
  filter: stageFilter(finalStage),
  maxAckPending: 10_000,
};

const newline = Buffer.from("\n");

/**
 * Writes each event of the mailbox as one line, as it is stored, and acknowledges it once the system has taken the
 * line; a slow reader of `out` is waited for. A killed process leaves at most the lines of its last batch to be written
 * again.
 * @returns "stopped" when the mailbox was stopped, "reader gone" when `out` was closed: the events of the lines it did
 *   not take are still held, so that closing the mailbox hands them back.
 */
export async function logLines(mailbox: Mailbox, out: Writable): Promise<"stopped" | "reader gone"> {
  // A closed pipe (`| head`) also reports here; unheard it would end the process.
  out.on("error", () => undefined);
  for (let batch = await mailbox.take(); batch !== undefined; batch = await mailbox.take()) {
    const lines = Buffer.concat(batch.flatMap((delivery) => [delivery.data, newline]));
    // Called back only when all of it is written: no batch is taken before.
    const written = await new Promise<boolean>((resolve) => out.write(lines, (err) => resolve(!err)));
    // Handed back now, it would come again at once, to this very mailbox.
    if (!written) return "reader gone";
    for (const delivery of batch) mailbox.ack(delivery);
  }
  return "stopped";
}
