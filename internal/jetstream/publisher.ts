import type { Msg, NatsConnection } from "nats";
import { Frames } from "./frames.ts";
import { privateInbox } from "./inbox.ts";
import { type PubAck, PublishError, parsePubAck, tooLarge } from "./pub-ack.ts";
import { Slots } from "./slots.ts";
import type { OutgoingHeaders } from "./wire-headers.ts";

/** A message for a stream. Its id (`Nats-Msg-Id`) is among its headers and makes sending it twice harmless. */
export interface Outgoing {
  readonly subject: string;
  /** Bytes as they are, or text that becomes UTF-8. */
  readonly payload: Uint8Array | string;
  readonly headers: OutgoingHeaders;
}

/** Told once what became of a message. */
export type OnSettled = (outcome: PubAck | PublishError) => void;

interface InFlight {
  /** Which answer is its own: a serial number times the window, plus its slot. -1 until it was sent. */
  token: number;
  readonly message: Outgoing;
  readonly onSettled: OnSettled;
  /** How many sweeps there had been when it was sent. */
  sentAt: number;
}

/** How fine the timeout is counted: a clock that is read for each message takes its time. */
const sweepsPerTimeout = 10;

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
 * connection, gives each message the reply subject `<inbox>.<token>`, and settles its promise when that token's
 * PubAck arrives, in whatever order. Every message is answered: stored, refused with the server's reason, or
 * unanswered within the timeout (then it may or may not be stored: publish it again under the same id).
 *
 * The window bounds what is in flight; `publish` waits for room in it, first come, first served. While the connection
 * is away time stands still, and after a reconnect what was in flight is sent again: its id makes that harmless.
 */
export class Publisher {
  readonly stats: PublisherStats = { published: 0, duplicates: 0, failed: 0, resent: 0 };
  readonly #nc: NatsConnection;
  readonly #frames: Frames;
  readonly #inbox: string;
  readonly #window: number;
  readonly #timeoutMs: number;
  readonly #inFlight = new Slots<InFlight>();
  readonly #waiting: InFlight[] = [];
  #roomWanted: (() => void)[] = [];
  readonly #sweep: NodeJS.Timeout;
  readonly #subscription: { unsubscribe(): void };
  #serial = 0;
  #sweeps = 0;
  #connected = true;
  #closed = false;

  /**
   * @param window most messages in flight at once
   * @param timeoutMs how long a PubAck may take while connected
   */
  constructor(
    nc: NatsConnection,
    { window = 4096, timeoutMs = 5_000 }: { window?: number; timeoutMs?: number } = {},
  ) {
    this.#nc = nc;
    this.#frames = Frames.of(nc);
    this.#window = window;
    this.#timeoutMs = timeoutMs;
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
    const entry: InFlight = { token: -1, message, onSettled, sentAt: 0 };
    if (this.#connected && this.#inFlight.size < this.#window) this.#transmit(entry);
    else this.#waiting.push(entry);
  }

  /**
   * Resolves when the window has room, at once if it has: await it before `publish` and nothing piles up in memory.
   * Also resolves when the publisher is closed; `publish` then says so.
   */
  async room(): Promise<void> {
    while (!this.#closed && this.pending >= this.#window)
      await new Promise<void>((resolve) => this.#roomWanted.push(resolve));
  }

  /** Messages sent or waiting whose answer is still due. */
  get pending(): number {
    return this.#inFlight.size + this.#waiting.length;
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
    entry.token = this.#serial++ * this.#window + this.#inFlight.add(entry);
    entry.sentAt = this.#sweeps;
    const { subject, payload, headers } = entry.message;
    try {
      const fits = this.#frames.publish(subject, `${this.#inbox}.${entry.token}`, headers, payload);
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
    if (answer instanceof PublishError) {
      this.#fail(entry, answer);
      return;
    }
    this.#inFlight.remove(this.#slotOf(token));
    this.stats.published++;
    if (answer.duplicate) this.stats.duplicates++;
    entry.onSettled(answer);
    this.#fillWindow();
  }

  #fail(entry: InFlight, err: PublishError): void {
    if (this.#isInFlight(entry)) this.#inFlight.remove(this.#slotOf(entry.token));
    this.stats.failed++;
    entry.onSettled(err);
    this.#fillWindow();
  }

  #fillWindow(): void {
    while (this.#connected && this.#waiting.length > 0 && this.#inFlight.size < this.#window) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#transmit(next);
    }
    if (this.#roomWanted.length > 0 && (this.#closed || this.pending < this.#window)) {
      const wanted = this.#roomWanted;
      this.#roomWanted = [];
      for (const resolve of wanted) resolve();
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
    return this.#inFlight.all().toSorted((one, other) => one.token - other.token);
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
