import type { NatsConnection } from "nats";
import type { Durable } from "../jetstream/durable.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { deleteStored, readStored } from "../jetstream/stored-message.ts";
import { clientOf } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { deadLetterOf } from "./dead-letter.ts";

export interface BackstopOptions {
  readonly nc: NatsConnection;
  /** The mailbox; its name is the step's. */
  readonly durable: Durable;
  readonly publisher: Publisher;
  readonly log: Log;
}

/**
 * Sets aside what the broker itself has given up on. Our consumers have no limit of deliveries, but somebody may have given
 * one its own: a message that reaches it stays in its queue, is never delivered again, and only an advisory tells. One
 * process of a step hears it. What is missed, because none was there or it ended over it, `StrandedWatch` finds.
 * @returns a function that ends it
 */
export function catchGivenUp({ nc, durable, publisher, log }: BackstopOptions): () => void {
  const { stream, name } = durable;
  const setAside = async (seq: number, deliveries: number): Promise<void> => {
    const stored = await readStored(nc, stream, seq);
    if (stored === undefined) return;
    const client = clientOf(stored.subject);
    const because = `The broker gave up after ${deliveries} deliveries: somebody has limited max_deliver of the consumer ${name}.`;
    const message = { ...stored, stream, streamSequence: seq, deliveries };
    await publisher.publish(deadLetterOf(message, name, client, "max_deliveries", because));
    await deleteStored(nc, stream, seq);
    log.warn({ client, reason: "max_deliveries", stream, seq }, because);
  };
  const subscription = nc.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.${name}`, {
    queue: name,
    callback: (err, msg) => {
      if (err !== null) {
        log.warn({ err }, "cannot hear what the broker gives up on");
        return;
      }
      const { stream_seq: seq, deliveries } = msg.json<Record<string, unknown>>(); // of the server
      setAside(Number(seq), Number(deliveries)).catch((cause: unknown) =>
        log.warn({ err: cause, stream, seq }, "what the broker gave up on cannot be set aside now"),
      );
    },
  });
  return () => {
    if (!nc.isClosed()) subscription.unsubscribe();
  };
}
