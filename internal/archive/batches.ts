import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";

interface BatchLimits {
  /** A batch is complete with this many deliveries; it may exceed that by one batch of the mailbox. */
  readonly size: number;
  /** A batch is complete this long after its first delivery. */
  readonly lingerMs: number;
}

/** The mailbox's deliveries in batches by size and time, until the mailbox is stopped. The caller settles them. */
export async function* batches(
  mailbox: Pick<Mailbox, "take">,
  { size, lingerMs }: BatchLimits,
): AsyncGenerator<readonly Delivery[]> {
  let taking = mailbox.take();
  for (let taken = await taking; taken !== undefined; taken = await taking) {
    const batch = [...taken];
    const { promise: over, resolve } = Promise.withResolvers<"over">();
    const timer = setTimeout(() => resolve("over"), lingerMs);
    taking = mailbox.take();
    while (batch.length < size) {
      const more = await Promise.race([taking, over]);
      if (more === "over" || more === undefined) break;
      batch.push(...more);
      taking = mailbox.take();
    }
    clearTimeout(timer);
    yield batch;
  }
}
