import type { Msg, NatsConnection } from "nats";
import { privateInbox, unguessable } from "./inbox.ts";
import { type PubAck, PublishError, parsePubAck, tooLarge } from "./pub-ack.ts";
import { SlotMap } from "./slot-map.ts";
import type { OutgoingHeaders } from "./wire-headers.ts";
import { WireWriter } from "./wire-writer.ts";

/** A message for a stream. Where sending it twice must store it once, its id (`Nats-Msg-Id`) is among its headers. */
export interface Outgoing {
  readonly subject: string;
  /** Bytes as they are, or text that becomes UTF-8. */
  readonly payload: Uint8Array | string;
  readonly headers: OutgoingHeaders;
}

/** Told once what became of a message. */
export type OnSettled = (outcome: PubAck | PublishError) => void;

interface InFlight {
  /** Which answer is its own: a random number times the window, plus its slot. -1 until it was sent. */
  token: number;
  /** Counts what was sent. */
  serial: number;
  readonly message: Outgoing;
  readonly onSettled: OnSettled;
  /** How many sweeps there had been when it was sent. */
  sentAt: number;
}

/** How fine the timeout is counted: a clock that is read for each message takes its time. */
const sweepsPerTimeout = 10;

/** Told of each message, by something that stands for it: that it is sent, again perhaps, and that it is stored or lost. */
export interface PublisherMeter {
  sent(message: object): void;
  stored(message: object): void;
  lost(message: object): void;
}

/** Counts since the publisher was made. */
export interface PublisherStats {
  published: number;
  duplicates: number;
  failed: number;
  resent: number;
}

/**
 * Publishes to JetStream with many messages in flight on one connection.
 *
 * `js.publish` sets up a request of its own for each message; this one keeps a single reply subscription per
 * connection, gives each message the reply subject `<inbox>.<token>`, which nobody can guess from those before, and settles
 * its promise when that token's PubAck arrives, in whatever order; anything else that arrives there is ignored. Every message is answered: stored, refused with the
 * server's reason, or unanswered within the timeout (then it may or may not be stored: publish it again).
 *
 * The window bounds what is in flight; what is beyond it waits in memory, first come, first served, so whoever may have more
 * than that to send bounds it first (`IngestBuffer`). While the connection
 * is away time stands still, and after a reconnect what was in flight is sent again: an id makes that harmless, and of a raw
 * event that is stored twice the copy is dropped where final events are stored.
 */
export class Publisher {
  readonly stats: PublisherStats = { published: 0, duplicates: 0, failed: 0, resent: 0 };
  readonly #nc: NatsConnection;
  readonly #wire: WireWriter;
  readonly #inbox: string;
  readonly #window: number;
  readonly #timeoutMs: number;
  readonly #onNoStream: () => void;
  readonly #meter: PublisherMeter | undefined;
  readonly #inFlight = new SlotMap<InFlight>();
  readonly #waiting: InFlight[] = [];
  readonly #sweep: NodeJS.Timeout;
  readonly #subscription: { unsubscribe(): void };
  #serial = 0;
  #sweeps = 0;
  #connected = true;
  #closed = false;

  /**
   * @param window most messages in flight at once
   * @param timeoutMs how long a PubAck may take while connected
   * @param onNoStream told of each message that no stream takes
   */
  constructor(
    nc: NatsConnection,
    {
      window = 4096,
      timeoutMs = 5_000,
      onNoStream = () => undefined,
      meter,
    }: { window?: number; timeoutMs?: number; onNoStream?: () => void; meter?: PublisherMeter } = {},
  ) {
    this.#nc = nc;
    this.#wire = WireWriter.of(nc);
    this.#window = window;
    this.#timeoutMs = timeoutMs;
    this.#onNoStream = onNoStream;
    this.#meter = meter;
    this.#inbox = privateInbox(nc);
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, { callback: (_err, msg) => this.#onAck(msg) });
    this.#sweep = setInterval(() => this.#failUnanswered(), timeoutMs / sweepsPerTimeout).unref();
    void this.#followConnection();
  }

  /**
   * Resolves when the stream holds the message.
   * @throws PublishError when it was refused or stayed unanswered, or when the publisher is closed.
   */
  publish(message: Outgoing): Promise<PubAck> {
    return new Promise((resolve, reject) =>
      this.send(message, (outcome) => (outcome instanceof PublishError ? reject(outcome) : resolve(outcome))),
    );
  }

  /** As `publish`, for the hot path: tells a callback, which saves a promise per message. */
  send(message: Outgoing, onSettled: OnSettled): void {
    if (this.#closed) {
      onSettled(new PublishError("the publisher is closed"));
      return;
    }
    const entry: InFlight = { token: -1, serial: 0, message, onSettled, sentAt: 0 };
    if (this.#connected && this.#inFlight.size < this.#window) this.#transmit(entry);
    else this.#waiting.push(entry);
  }

  /** Most bytes of a message, headers included, that the server takes to which it is connected now. */
  get maxPayload(): number {
    return this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  /** Messages sent or waiting whose answer is still due. */
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

  /** Ends it; what is still in flight is rejected and may or may not be stored. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    if (!this.#nc.isClosed()) this.#subscription.unsubscribe();
    const why = "the publisher was closed before the stream answered";
    const waiting = this.#waiting.splice(0); // first of all, or they would take the places of the others
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
      this.#fail(
        entry,
        new PublishError(err instanceof Error ? err.message : String(err), 0, { cause: err }),
      );
    }
  }

  #onAck(msg: Msg): void {
    const token = Number(msg.subject.slice(this.#inbox.length + 1));
    const entry = this.#inFlight.at(this.#slotOf(token));
    if (entry?.token !== token) return; // answered before it was sent again, or too late
    const answer = parsePubAck(msg, entry.message.subject);
    if (answer === undefined) return; // not from the stream, whose own word is still due
    if (answer instanceof PublishError) {
      if (answer.isStreamMissing) this.#onNoStream();
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

  /** Whoever is told of a failure may do anything, also close the publisher: asked before each of several is handled. */
  #isInFlight(entry: InFlight): boolean {
    return this.#inFlight.at(this.#slotOf(entry.token)) === entry;
  }

  /** What is in flight in the order sent: the first one is the first to time out. */
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
