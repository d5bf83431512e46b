import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import type { Durable } from "./durable.ts";
import { readStored } from "./stored-message.ts";

/**
 * How far all readers of a durable consumer have come, kept outside of the broker: should somebody delete the consumer, the new
 * one begins there instead of with the oldest message.
 *
 * The message that lies there tells whether it is still the same stream. When the stream was created does not: in a cluster of
 * nats-server 2.10 each node says another time, and another one after a restart.
 */
export class Place {
  readonly #nc: NatsConnection;
  readonly #durable: Durable;
  #noted: { readonly settled: number; readonly storedAt: number } | undefined;

  constructor(nc: NatsConnection, durable: Durable) {
    this.#nc = nc;
    this.#durable = durable;
  }

  /** Notes up to where every message is settled, by whichever reader. @throws when the broker or the consumer is away */
  async note(): Promise<void> {
    const { stream, name } = this.#durable;
    const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
    const settled = (await jsm.consumers.info(stream, name)).ack_floor.stream_seq;
    if (settled === 0) return;
    const message = await readStored(this.#nc, stream, settled);
    // One that is gone already tells nothing: then the place before is the better one.
    if (message !== undefined) this.#noted = { settled, storedAt: message.storedAt };
  }

  /**
   * Where a new consumer is to begin, and how many messages it will deliver that are stored already.
   * @returns `from` is undefined when no place is known in this very stream: then with the oldest
   * @throws when the broker or the stream is away
   */
  async next(): Promise<{ readonly from: number | undefined; readonly retained: number }> {
    const { stream } = this.#durable;
    const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
    const { messages, first_seq, last_seq } = (await jsm.streams.info(stream)).state;
    const noted = this.#noted;
    if (noted === undefined || noted.settled > last_seq) return { from: undefined, retained: messages };
    const message = await readStored(this.#nc, stream, noted.settled);
    const isSame = message === undefined ? first_seq > noted.settled : message.storedAt === noted.storedAt;
    if (!isSame) return { from: undefined, retained: messages };
    const from = noted.settled + 1;
    return { from, retained: Math.min(messages, Math.max(0, last_seq - Math.max(from, first_seq) + 1)) };
  }
}
