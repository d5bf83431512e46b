import type { NatsConnection } from "nats";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { readNext } from "../jetstream/stored-message.ts";
import { keyText } from "../messages/event-key.ts";
import { type RetryHead, readRetryHead } from "../messages/retry.ts";
import { retryDurable, retryStream, retrySubject } from "../messages/subjects.ts";
import { type DeliverableEvent, readDeliverable } from "../webhooks/message.ts";

/** A destination's waiting delivery in CASINO_RETRY. */
interface Waiting extends Pick<RetryHead, "due"> {
  readonly event: DeliverableEvent;
  /** The same key as the delivery's `Item` has. */
  readonly name: string;
}

/**
 * Reads everything that waits for a destination, in the order stored, and skips messages that are not deliveries. A
 * work queue admits no second consumer, so it requests each message separately.
 * @throws Unavailable; the signal's reason, because there may be very many
 */
export async function* readQueue(
  nc: NatsConnection,
  destination: string,
  signal: AbortSignal,
): AsyncGenerator<Waiting> {
  const filter = retrySubject(destination);
  // After kill -9 a broker may hold acknowledged messages again that it never delivers; nothing may wait for them.
  const acknowledged = (await consumerOf(nc, retryStream, retryDurable(destination)))?.ackFloor ?? 0;
  for (let seq = acknowledged + 1; ; seq++) {
    signal.throwIfAborted();
    const message = await readNext(nc, retryStream, seq, filter);
    if (message === undefined) return;
    seq = message.seq;
    const head = readRetryHead(message);
    const event = head && readDeliverable(head.client, head.source, message.data, head.sequence);
    if (head !== undefined && event !== undefined)
      yield { event, due: head.due, name: `${keyText(event)}:${head.origin}` };
  }
}
