import type { NatsConnection } from "nats";
import type { Durable } from "../jetstream/durable.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { deleteStored, readStored } from "../jetstream/stored-message.ts";
import { deadMessagesOf } from "../messages/enclosed.ts";
import { isObject, readJsonBytes } from "../service/json.ts";
import type { Log } from "../service/log.ts";
import { LetterWriter } from "./letter-writer.ts";

export interface BackstopOptions {
  readonly nc: NatsConnection;
  readonly durable: Durable;
  readonly step: string;
  readonly stage: string;
  readonly publisher: Publisher;
  readonly log: Log;
}

/**
 * Sets aside what the broker itself has given up on. Our consumers have no limit of deliveries, but somebody may set
 * one: a message that reaches it stays in its queue and is never delivered again, and only an advisory tells. One
 * process per step hears the advisory; `StuckMessagesWatch` finds what was missed.
 * @returns a function that ends it
 */
export function catchGivenUp({ nc, durable, step, stage, publisher, log }: BackstopOptions): () => void {
  const { stream, name } = durable;
  const letters = new LetterWriter(nc, publisher);
  const setAside = async (seq: number, deliveries: number): Promise<void> => {
    const stored = await readStored(nc, stream, seq);
    if (stored === undefined) return;
    const because = `The broker gave up after ${deliveries} deliveries: somebody has limited max_deliver of the consumer ${name}.`;
    const reason = "max_deliveries";
    for (const { client, message } of deadMessagesOf(
      { ...stored, stream, streamSequence: seq, deliveries },
      stage,
    ))
      await letters.write(message, { step, client, reason, because });
    await deleteStored(nc, stream, seq);
    log.warn({ reason, stream, seq }, `dead letter: ${because}`);
  };
  const subscription = nc.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.${name}`, {
    queue: name,
    callback: (err, msg) => {
      if (err !== null) {
        log.warn({ err }, "cannot hear what the broker gives up on");
        return;
      }
      // Not by the library's own reader: on a server without permissions anybody may publish there.
      const advisory = readJsonBytes(msg.data);
      if (!isObject(advisory)) return;
      const { stream_seq: seq, deliveries } = advisory;
      setAside(Number(seq), Number(deliveries)).catch((cause: unknown) =>
        log.warn({ err: cause, stream, seq }, "what the broker gave up on cannot be set aside now"),
      );
    },
  });
  return () => {
    if (!nc.isClosed()) subscription.unsubscribe();
  };
}
