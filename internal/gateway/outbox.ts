import type { OnSettled, Outgoing, Publisher } from "../jetstream/publisher.ts";

export interface OutboxOptions {
  readonly publisher: Pick<Publisher, "send">;
  /** Most messages in flight at once, of all requests together; at most the publisher's window. */
  readonly maxMessages?: number;
  /** Most bytes of them: events may be large. */
  readonly maxBytes?: number;
}

/**
 * What all requests together have in flight to the broker. While the broker is away nothing settles, and what is in flight
 * stays until it is back: so this, and not the requests that have given up waiting, bounds the memory it takes.
 */
export class Outbox {
  readonly #publisher: Pick<Publisher, "send">;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #waiting = new Set<() => void>();
  #messages = 0;
  #bytes = 0;
  #waking = false;

  constructor({ publisher, maxMessages = 4_096, maxBytes = 64 * 2 ** 20 }: OutboxOptions) {
    this.#publisher = publisher;
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get hasRoom(): boolean {
    return this.#messages < this.#maxMessages && this.#bytes < this.#maxBytes;
  }

  /** Resolves to true once there is room, in the order of asking; to false when `signal` aborts first. */
  async room(signal: AbortSignal): Promise<boolean> {
    while (!this.hasRoom) {
      if (signal.aborted) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      const giveUp = (): void => resolve();
      this.#waiting.add(resolve);
      signal.addEventListener("abort", giveUp);
      await promise;
      signal.removeEventListener("abort", giveUp);
      this.#waiting.delete(resolve);
    }
    return true;
  }

  /** Sends a message, room or not: ask first. */
  send(message: Outgoing, onSettled: OnSettled): void {
    const bytes = message.payload.length;
    this.#messages++;
    this.#bytes += bytes;
    this.#publisher.send(message, (outcome) => {
      this.#messages--;
      this.#bytes -= bytes;
      onSettled(outcome);
      this.#wake();
    });
  }

  /** One after the other, because who is woken may fill all the room there is; or none of it, so the next one follows. */
  #wake(): void {
    if (this.#waking || !this.hasRoom) return;
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#waiting.delete(first);
    first();
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.#wake();
    });
  }
}
