import type { NatsConnection } from "nats";
import { consumerOf } from "./consumer-state.ts";
import type { Durable } from "./durable.ts";
import { readStored } from "./stored-message.ts";
import { stateOf } from "./stream-state.ts";

/**
 * Remembers outside the broker how far all readers of a durable consumer have come. When somebody deletes the
 * consumer, the new one starts there instead of at the oldest message.
 *
 * The message at that place tells whether the stream is still the same. The stream's creation time does not: in a
 * cluster of nats-server 2.10 each node reports another one, and changes it after a restart.
 */
export class Place {
  readonly #nc: NatsConnection;
  readonly #durable: Durable;
  #noted: { readonly settled: number; readonly storedAt: number } | undefined;

  constructor(nc: NatsConnection, durable: Durable) {
    this.#nc = nc;
    this.#durable = durable;
  }

  /**
   * Notes the sequence up to which every message is settled, by any reader. @throws when the broker or the consumer
   * is away
   */
  async note(): Promise<void> {
    const { stream, name } = this.#durable;
    const settled = (await consumerOf(this.#nc, stream, name))?.ackFloor ?? 0;
    if (settled === 0) return;
    const message = await readStored(this.#nc, stream, settled);
    // A deleted message identifies nothing, so the place before it is kept.
    if (message !== undefined) this.#noted = { settled, storedAt: message.storedAt };
  }

  /**
   * Where a new consumer has to start, and how many stored messages it will deliver.
   * @returns `from` is undefined when no place is known in this stream: start with the oldest
   * @throws when the broker or the stream is away
   */
  async next(): Promise<{ readonly from: number | undefined; readonly retained: number }> {
    const { stream } = this.#durable;
    const { messages, firstSeq, lastSeq } = await stateOf(this.#nc, stream);
    const noted = this.#noted;
    if (noted === undefined || noted.settled > lastSeq) return { from: undefined, retained: messages };
    const message = await readStored(this.#nc, stream, noted.settled);
    const isSame = message === undefined ? firstSeq > noted.settled : message.storedAt === noted.storedAt;
    if (!isSame) return { from: undefined, retained: messages };
    const from = noted.settled + 1;
    return { from, retained: Math.min(messages, Math.max(0, lastSeq - Math.max(from, firstSeq) + 1)) };
  }
}
