import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { OnSettled, Outgoing, Publisher } from "../jetstream/publisher.ts";
import { rawSubject } from "../jetstream/subjects.ts";

const rawSubjects = rawSubject("");
const warnForMs = 60_000;

export interface OutboxOptions {
  readonly publisher: Pick<Publisher, "send">;
  /** Most messages in flight at once, of all requests together; at most the publisher's window. */
  readonly maxMessages?: number;
  /** Most bytes of them: events may be large. */
  readonly maxBytes?: number;
  /** Once nothing was settled for so long while it was full, in ms, nobody needs to wait for room. */
  readonly stallMs?: number;
}

/**
 * What all requests together have in flight to the broker. While the broker is away nothing settles, and what is in flight
 * stays until it is back: so this, and not the requests that have given up waiting, bounds the memory it takes.
 */
export class Outbox {
  readonly #publisher: Pick<Publisher, "send">;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #stallMs: number;
  readonly #waiting = new Set<() => void>();
  #messages = 0;
  #bytes = 0;
  #waking = false;
  /** Since when it is full without anything being settled, on the clock of `performance.now()`. */
  #fullSince: number | undefined;
  /** When the stream of raw events last refused one for want of room, on the same clock. */
  #refusedAt: number | undefined;

  constructor({ publisher, maxMessages = 4_096, maxBytes = 64 * 2 ** 20, stallMs = 1_000 }: OutboxOptions) {
    this.#publisher = publisher;
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#stallMs = stallMs;
  }

  /**
   * What somebody should look at. No gateway helps where the queue is full, so it is no reason to take one out of service:
   * clients would no longer hear that they are to try again, nor get what they can still ask for.
   */
  get warnings(): readonly string[] {
    if (this.#refusedAt === undefined || performance.now() - this.#refusedAt > warnForMs) return [];
    return ["the queue of raw events was full within the last minute, events are refused: start enrichers"];
  }

  get hasRoom(): boolean {
    return this.#messages < this.#maxMessages && this.#bytes < this.#maxBytes;
  }

  /**
   * Resolves to true once there is room, in the order of asking; to false when `signal` aborts first, and at once while
   * the broker takes nothing at all: requests that wait in vain take memory too.
   */
  async room(signal: AbortSignal): Promise<boolean> {
    while (!this.hasRoom) {
      if (signal.aborted || this.#isStalled) return false;
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
    const bytes = Buffer.byteLength(message.payload);
    this.#messages++;
    this.#bytes += bytes;
    this.#noteFull();
    this.#publisher.send(message, (outcome) => {
      this.#messages--;
      this.#bytes -= bytes;
      this.#fullSince = undefined;
      this.#noteFull();
      if (outcome instanceof PublishError && outcome.isStreamFull && message.subject.startsWith(rawSubjects))
        this.#refusedAt = performance.now();
      onSettled(outcome);
      this.#wake();
    });
  }

  /**
   * Waits for room and for the stream's answer, both until `signal` aborts; then it may or may not be stored.
   * @throws PublishError
   */
  async publish(message: Outgoing, signal: AbortSignal): Promise<PubAck> {
    if (!(await this.room(signal))) throw new PublishError("the broker does not keep up");
    const { promise, resolve, reject } = Promise.withResolvers<PubAck>();
    const giveUp = (): void => reject(new PublishError("the broker does not answer"));
    signal.addEventListener("abort", giveUp);
    this.send(message, (outcome) => {
      signal.removeEventListener("abort", giveUp);
      if (outcome instanceof PublishError) reject(outcome);
      else resolve(outcome);
    });
    return promise;
  }

  get #isStalled(): boolean {
    return this.#fullSince !== undefined && performance.now() - this.#fullSince >= this.#stallMs;
  }

  #noteFull(): void {
    if (this.#fullSince === undefined && !this.hasRoom) this.#fullSince = performance.now();
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
