import type { Msg, NatsConnection } from "nats";
import { reasonOf } from "../service/log.ts";
import { privateInbox, unguessable } from "./inbox.ts";
import { type PubAck, PublishError, parsePubAck, tooLarge } from "./pub-ack.ts";
import { SlotMap } from "./slot-map.ts";
import type { StreamKeeper } from "./stream-keeper.ts";
import type { OutgoingHeaders } from "./wire-headers.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * A message for a stream. If it must be stored only once however often it is sent, its headers carry an id
 * (`Nats-Msg-Id`).
 */
export interface Outgoing {
  readonly subject: string;
  /** Bytes as they are, or text that becomes UTF-8. */
  readonly payload: Uint8Array | string;
  readonly headers: OutgoingHeaders;
}

/** Called once with the result of a message. */
export type OnSettled = (outcome: PubAck | PublishError) => void;

interface InFlight {
  /** Identifies its answer: a random number times the window, plus its slot. -1 until it is sent. */
  token: number;
  /** Position in the order of sending. */
  serial: number;
  readonly message: Outgoing;
  readonly onSettled: OnSettled;
  sentAt: number;
}

/** Resolution of the timeout: reading a clock for each message would cost too much. */
const sweepsPerTimeout = 10;

/** Told of each message when it is sent, maybe again, and when it is stored or lost. `message` only identifies it. */
export interface PublisherMeter {
  sent(message: object): void;
  stored(message: object): void;
  lost(message: object): void;
}

export interface PublisherOptions {
  /** Most messages in flight at once. */
  readonly window?: number;
  /** How long a PubAck may take while connected. */
  readonly timeoutMs?: number;
  /** Recreates a stream that is missing for a message; default: it stays missing until someone else does. */
  readonly streams?: Pick<StreamKeeper, "restore"> | undefined;
  readonly meter?: PublisherMeter;
}

export interface PublisherStats {
  published: number;
  duplicates: number;
  failed: number;
  resent: number;
}

/**
 * Publishes to JetStream with many messages in flight on one connection.
 *
 * `js.publish` sets up a request for each message. This class keeps one reply subscription per connection, gives
 * each message the reply subject `<inbox>.<token>` with a token that nobody can guess, and settles the message when
 * the PubAck of its token arrives, in any order. Every message gets an outcome: stored, refused with the server's
 * reason, or unanswered within the timeout (then it may or may not be stored: publish it again).
 *
 * The window bounds what is in flight. The rest waits in memory, first come, first served, so bound it first where
 * there may be a lot (`IngestBuffer`). While the connection is away the timeout stands still; after a reconnect what
 * was in flight is sent again. An id makes that harmless; the log drops the copy of a raw event.
 */
export class Publisher {
  readonly stats: PublisherStats = { published: 0, duplicates: 0, failed: 0, resent: 0 };
  readonly #nc: NatsConnection;
  readonly #wire: WireWriter;
  readonly #inbox: string;
  readonly #window: number;
  readonly #timeoutMs: number;
  readonly #streams: PublisherOptions["streams"];
  readonly #meter: PublisherMeter | undefined;
  readonly #inFlight = new SlotMap<InFlight>();
  readonly #waiting: InFlight[] = [];
  readonly #sweep: NodeJS.Timeout;
  readonly #subscription: { unsubscribe(): void };
  #serial = 0;
  #sweeps = 0;
  #connected = true;
  #closed = false;

  constructor(
    nc: NatsConnection,
    { window = 4096, timeoutMs = 5_000, streams, meter }: PublisherOptions = {},
  ) {
    this.#nc = nc;
    this.#wire = WireWriter.of(nc);
    this.#window = window;
    this.#timeoutMs = timeoutMs;
    this.#streams = streams;
    this.#meter = meter;
    this.#inbox = privateInbox(nc);
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, { callback: (_err, msg) => this.#onAck(msg) });
    this.#sweep = setInterval(() => this.#failUnanswered(), timeoutMs / sweepsPerTimeout).unref();
    void this.#followConnection();
  }

  /**
   * Resolves when the stream holds the message.
   * @param signal ends the wait, which has no other end while the connection is away; the message may still be stored
   * @throws PublishError when it is refused, stays unanswered, or the publisher is closed; the signal's reason
   */
  async publish(message: Outgoing, signal?: AbortSignal): Promise<PubAck> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<PubAck>();
    const giveUp = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", giveUp);
    this.send(message, (outcome) => (outcome instanceof PublishError ? reject(outcome) : resolve(outcome)));
    return promise.finally(() => signal?.removeEventListener("abort", giveUp));
  }

  /** As `publish`, for the hot path: a callback saves a promise per message. */
  send(message: Outgoing, onSettled: OnSettled): void {
    if (this.#closed) return void onSettled(new PublishError("the publisher is closed"));
    const entry: InFlight = { token: -1, serial: 0, message, onSettled, sentAt: 0 };
    if (this.#connected && this.#inFlight.size < this.#window) this.#transmit(entry);
    else this.#waiting.push(entry);
  }

  /** Most bytes of a message, headers included, that the connected server takes. */
  get maxPayload(): number {
    return this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  /** Messages sent or waiting, without an answer yet. */
  get pending(): number {
    return this.#inFlight.size + this.#waiting.length;
  }

  /** Those of them that were sent. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Most messages in flight at once. */
  get window(): number {
    return this.#window;
  }

  /** Closes it. What is still in flight is rejected and may or may not be stored. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    if (!this.#nc.isClosed()) this.#subscription.unsubscribe();
    const why = "the publisher was closed before the stream answered";
    const waiting = this.#waiting.splice(0); // taken first, or they would fill the places of the others
    for (const entry of this.#sent()) if (this.#isInFlight(entry)) this.#fail(entry, new PublishError(why));
    for (const entry of waiting) this.#fail(entry, new PublishError(why));
    this.#fillWindow();
  }

  #transmit(entry: InFlight): void {
    entry.token = unguessable() * this.#window + this.#inFlight.add(entry);
    entry.serial = this.#serial++;
    entry.sentAt = this.#sweeps;
    this.#meter?.sent(entry);
    const { subject, payload, headers } = entry.message;
    try {
      const fits = this.#wire.publish(subject, `${this.#inbox}.${entry.token}`, headers, payload);
      if (!fits) this.#fail(entry, new PublishError("it is larger than the server's max_payload", tooLarge));
    } catch (err) {
      this.#fail(entry, new PublishError(reasonOf(err), 0, { cause: err }));
    }
  }

  #onAck(msg: Msg): void {
    const token = Number(msg.subject.slice(this.#inbox.length + 1));
    const entry = this.#inFlight.at(this.#slotOf(token));
    if (entry?.token !== token) return; // answered before it was sent again, or too late
    const answer = parsePubAck(msg, entry.message.subject);
    if (answer === undefined) return; // not from the stream, whose answer is still due
    if (answer instanceof PublishError) {
      if (answer.isStreamMissing) void this.#streams?.restore();
      this.#fail(entry, answer);
      return;
    }
    this.#inFlight.remove(this.#slotOf(token));
    this.stats.published++;
    this.#meter?.stored(entry);
    if (answer.duplicate) this.stats.duplicates++;
    entry.onSettled(answer);
    this.#fillWindow();
  }

  #fail(entry: InFlight, err: PublishError): void {
    if (this.#isInFlight(entry)) this.#inFlight.remove(this.#slotOf(entry.token));
    this.stats.failed++;
    this.#meter?.lost(entry);
    entry.onSettled(err);
    this.#fillWindow();
  }

  #fillWindow(): void {
    while (this.#connected && this.#waiting.length > 0 && this.#inFlight.size < this.#window) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#transmit(next);
    }
  }

  #failUnanswered(): void {
    if (!this.#connected) return;
    this.#sweeps++;
    for (const entry of this.#sent()) {
      if (this.#sweeps - entry.sentAt <= sweepsPerTimeout) break;
      const why = `no PubAck for ${entry.message.subject} within ${this.#timeoutMs / 1000} s`;
      if (this.#isInFlight(entry)) this.#fail(entry, new PublishError(why));
    }
  }

  #slotOf(token: number): number {
    return token % this.#window;
  }

  /** An `onSettled` callback may do anything, even close the publisher: check before each of several is handled. */
  #isInFlight(entry: InFlight): boolean {
    return this.#inFlight.at(this.#slotOf(entry.token)) === entry;
  }

  /** What is in flight, oldest first: that is the first to time out. */
  #sent(): readonly InFlight[] {
    return this.#inFlight.all().toSorted((one, other) => one.serial - other.serial);
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === "disconnect") this.#connected = false;
      else if (status.type === "reconnect" && !this.#closed) {
        this.#connected = true;
        const again = this.#sent();
        this.stats.resent += again.length;
        for (const entry of again) {
          if (!this.#isInFlight(entry)) continue;
          this.#inFlight.remove(this.#slotOf(entry.token));
          this.#transmit(entry);
        }
        this.#fillWindow();
      }
    }
    this.close(); // the connection is closed for good
  }
}
