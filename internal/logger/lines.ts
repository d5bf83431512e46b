import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { finalStage, stageFilter, stageStream } from "../jetstream/subjects.ts";
import type { Durable } from "../jetstream/topology.ts";

export const loggerDurable: Durable = {
  stream: stageStream(finalStage),
  name: "logger",
  filter: stageFilter(finalStage),
  maxAckPending: 10_000,
};

const newline = Buffer.from("\n");

/**
 * Writes each event of the mailbox as one line, as it is stored, and acknowledges it once the system has taken the
 * line. Stops reading while the reader of `out` is slow. A killed process leaves at most the lines of its last batch
 * to be written again.
 * @returns "stopped" when the mailbox was stopped, "reader gone" when `out` was closed: the lines it did not take go
 *   back to the mailbox, none is lost.
 */
export async function logLines(mailbox: Mailbox, out: Writable): Promise<"stopped" | "reader gone"> {
  let gone = false;
  // A closed pipe (`| head`) also reports here; unheard it would end the process.
  out.on("error", () => {
    gone = true;
  });
  for (let batch = await mailbox.take(); batch !== undefined; batch = await mailbox.take()) {
    const lines = Buffer.concat(batch.flatMap((delivery) => [delivery.data, newline]));
    const written =
      !gone && (await new Promise<boolean>((resolve) => out.write(lines, (err) => resolve(!err))));
    for (const delivery of batch) {
      if (written) mailbox.ack(delivery);
      else mailbox.nak(delivery);
    }
    if (!written) return "reader gone";
    if (out.writableNeedDrain) await once(out, "drain").catch(() => undefined);
  }
  return "stopped";
}
