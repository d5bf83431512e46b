import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { askBroker } from "../jetstream/api.ts";
import { rawStage, stageStream } from "../messages/subjects.ts";

/** How often CASINO_RAW is checked. */
const everyMs = 10_000;

/**
 * Reports when accepted numbers start over because somebody deleted CASINO_RAW, until the signal fires or the
 * connection is closed.
 * @param onNewNumbers receives the new stream's time of creation, in ms since the epoch
 */
export async function watchRaw(
  nc: NatsConnection,
  onNewNumbers: (since: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const stream = stageStream(rawStage);
  let last = Number.POSITIVE_INFINITY;
  while (!signal.aborted && !nc.isClosed()) {
    const found = await askBroker(nc, stream, (jsm) => jsm.streams.info(stream)).catch(() => undefined);
    if (found !== undefined) {
      const { created, state } = found;
      // Not by its time of creation alone, because each node of a cluster of nats-server 2.10 reports another one.
      if (state.last_seq < last) onNewNumbers(Date.parse(created));
      last = state.last_seq;
    }
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
