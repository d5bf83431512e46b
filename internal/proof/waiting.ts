import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest } from "../jetstream/api.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";

/** A message that waits in a work queue. */
export interface WaitingMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  /** In ms since the epoch. */
  readonly storedAt: number;
}

/** Parts of a queue that are read at once. */
const readers = 8;

/**
 * The messages of a work queue, in no order. A queue admits no second consumer, so each is asked for by itself; what is
 * acknowledged meanwhile may be left out.
 * @throws Unavailable
 */
export async function* waitingIn(
  nc: NatsConnection,
  stream: string,
  filter: string,
  { firstSeq, lastSeq }: { readonly firstSeq: number; readonly lastSeq: number },
): AsyncGenerator<WaitingMessage> {
  const span = Math.ceil((lastSeq - firstSeq + 1) / readers);
  const found: WaitingMessage[] = [];
  let running = 0;
  let failure: unknown;
  let isOver = false;
  let wake = (): void => undefined;
  const read = async (from: number, before: number): Promise<void> => {
    for (let next = from; next < before && failure === undefined && !isOver; ) {
      const message = await nextFrom(nc, stream, filter, next);
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

async function nextFrom(
  nc: NatsConnection,
  stream: string,
  filter: string,
  seq: number,
): Promise<WaitingMessage | undefined> {
  try {
    const { message } = await askBroker(nc, `STREAM.MSG.GET.${stream}`, { seq, next_by_subj: filter });
    const found = isObject(message) ? message : {};
    const head = Buffer.from(typeof found.hdrs === "string" ? found.hdrs : "", "base64");
    return {
      seq: Number(found.seq),
      subject: String(found.subject),
      headers: new ReceivedHeaders(head.toString()),
      storedAt: Date.parse(String(found.time)),
    };
  } catch (err) {
    if (err instanceof RefusedRequest && err.isMessageMissing) return undefined;
    throw err;
  }
}
