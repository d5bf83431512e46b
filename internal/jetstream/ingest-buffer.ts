import { isRawSubject } from "../messages/subjects.ts";
import { type PubAck, PublishError } from "./pub-ack.ts";
import type { OnSettled, Outgoing, Publisher } from "./publisher.ts";
import { maxRawBytes } from "./topology.ts";

const warnForMs = 60_000;

/** Counts the events that come from outside. */
export interface IngestMeter {
  /** Called once. @param inFlight how many events are on their way to the broker */
  opened(inFlight: () => number): void;
  /** The time at which a message is sent, on the meter's own clock. */
  now(): number;
  done(events: number, since: number): void;
  /** The broker did not store it: the sender has to try again. */
  returned(): void;
}

export interface IngestBufferOptions {
  readonly publisher: Pick<Publisher, "send" | "maxPayload">;
  readonly meter?: IngestMeter;
  /** Most events in flight at once, over all senders. */
  readonly maxEvents?: number;
  /** Most of their bytes: events may be large. */
  readonly maxBytes?: number;
  /** When it has been full for this many ms without anything being settled, callers stop waiting for room. */
  readonly stallMs?: number;
}

/**
 * Flow control for events from outside: bounds what all senders together have in flight to the broker. While the
 * broker is away nothing settles and what is in flight stays, so this bound limits memory, not the number of callers,
 * who give up waiting.
 */
export class IngestBuffer {
  readonly #publisher: IngestBufferOptions["publisher"];
  readonly #meter: IngestMeter | undefined;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #stallMs: number;
  readonly #waiting = new Set<() => void>();
  #events = 0;
  #bytes = 0;
  #waking = false;
  #onEmpty: (() => void)[] = [];
  /** Since when it has been full without anything being settled, on the clock of `performance.now()`. */
  #fullSince: number | undefined;
  /** When the raw stream last refused an event because it was full, on the same clock. */
  #refusedAt: number | undefined;
  /** When and why the raw stream could last not write an event. */
  #broken: { readonly at: number; readonly why: string } | undefined;

  constructor({
    publisher,
    meter,
    maxEvents = 16_384,
    maxBytes = 64 * 2 ** 20,
    stallMs = 1_000,
  }: IngestBufferOptions) {
    this.#publisher = publisher;
    this.#meter = meter;
    meter?.opened(() => this.#events);
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
    this.#stallMs = stallMs;
  }

  /**
   * Warnings for the operator. They do not make a gateway unready: no other gateway could store the events either,
   * and clients still get a clear refusal and answers to their queries.
   */
  get warnings(): readonly string[] {
    const since = performance.now() - warnForMs;
    const warnings: string[] = [];
    if (this.#refusedAt !== undefined && this.#refusedAt >= since)
      warnings.push(
        "the queue of raw events was full within the last minute, events are refused: start enrichers",
      );
    if (this.#broken !== undefined && this.#broken.at >= since)
      warnings.push(
        `the server could not write raw events down within the last minute (${this.#broken.why}): look at its disk, and restart it`,
      );
    return warnings;
  }

  /** Most bytes of one message, headers included, by the limits of the stream and of the connected server. */
  get maxMessageBytes(): number {
    return Math.min(maxRawBytes, this.#publisher.maxPayload);
  }

  get hasRoom(): boolean {
    return this.hasRoomBeside(0, 0);
  }

  /** Whether there is room left beside this many events and bytes that are still to be sent. */
  hasRoomBeside(events: number, bytes: number): boolean {
    return this.#events + events < this.#maxEvents && this.#bytes + bytes < this.#maxBytes;
  }

  /**
   * Resolves to true once there is room, in the order of asking; to false when `signal` aborts first, and at once
   * while the broker takes nothing at all, because waiting requests take memory too.
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

  /**
   * Sends a message whether there is room or not: ask first.
   * @param events how many it carries
   */
  send(message: Outgoing, onSettled: OnSettled, events = 1): void {
    const bytes = Buffer.byteLength(message.payload);
    this.#events += events;
    this.#bytes += bytes;
    this.#noteFull();
    const isRaw = isRawSubject(message.subject);
    const since = this.#meter?.now() ?? 0;
    this.#publisher.send(message, (outcome) => {
      this.#events -= events;
      this.#bytes -= bytes;
      this.#fullSince = undefined;
      this.#noteFull();
      if (isRaw) this.#note(outcome, events, since);
      onSettled(outcome);
      this.#wake();
    });
  }

  /** Resolves when nothing is in flight. */
  async empty(): Promise<void> {
    while (this.#events > 0) await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  /**
   * Waits for room and for the stream's answer, both until `signal` aborts: then the message may or may not be
   * stored.
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

  #note(outcome: PubAck | PublishError, events: number, since: number): void {
    if (!(outcome instanceof PublishError)) {
      this.#meter?.done(events, since);
      return;
    }
    this.#meter?.returned();
    const at = performance.now();
    if (outcome.isStreamFull) this.#refusedAt = at;
    else if (outcome.isStoreBroken) this.#broken = { at, why: outcome.message };
  }

  #noteFull(): void {
    if (this.#fullSince === undefined && !this.hasRoom) this.#fullSince = performance.now();
  }

  /** Wakes one caller at a time: it may use all the room, or none, and then the next one follows. */
  #wake(): void {
    if (this.#events === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
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
