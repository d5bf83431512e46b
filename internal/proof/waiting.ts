import type { NatsConnection } from "nats";
import { readNext, type StoredMessage } from "../jetstream/stored-message.ts";

/** Parts of a queue that are read at once. */
const readers = 8;

/**
 * The messages of a work queue, in no order. A queue admits no second consumer, so each is requested separately; messages
 * acknowledged meanwhile may be left out.
 * @throws Unavailable
 */
export async function* waitingIn(
  nc: NatsConnection,
  stream: string,
  filter: string,
  { firstSeq, lastSeq }: { readonly firstSeq: number; readonly lastSeq: number },
): AsyncGenerator<StoredMessage> {
  const span = Math.ceil((lastSeq - firstSeq + 1) / readers);
  const found: StoredMessage[] = [];
  let running = 0;
  let failure: unknown;
  let isOver = false;
  let wake = (): void => undefined;
  const read = async (from: number, before: number): Promise<void> => {
    for (let next = from; next < before && failure === undefined && !isOver; ) {
      const message = await readNext(nc, stream, next, filter);
      if (message === undefined || message.seq >= before) return;
      found.push(message);
      wake();
      next = message.seq + 1;
    }
  };
  for (let from = firstSeq; from <= lastSeq; from += span) {
    running++;
    void read(from, Math.min(from + span, lastSeq + 1))
      .catch((err: unknown) => {
        failure ??= err;
      })
      .finally(() => {
        running--;
        wake();
      });
  }
  try {
    while (running > 0 || found.length > 0) {
      yield* found.splice(0);
      if (failure !== undefined) throw failure;
      if (running > 0 && found.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    if (failure !== undefined) throw failure;
  } finally {
    isOver = true;
  }
}
