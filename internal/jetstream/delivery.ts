import type { Msg } from "nats";
import { ReceivedHeaders } from "./wire-headers.ts";
import type { WireWriter } from "./wire-writer.ts";

/**
 * One message as a pull consumer delivered it, with its acknowledgements (ADR-15 of the NATS architecture). Settled
 * once: further calls do nothing. Acknowledgements are fire and forget; a lost one causes a redelivery, which the
 * stream's duplicate window makes harmless.
 */
export class Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: ReceivedHeaders;
  /** Its slot in the mailbox, and the mailbox's renewal that last renewed it. */
  heldIn = -1;
  renewedAt = 0;
  /** When it arrived, on the clock of the mailbox's meter. */
  receivedAt = 0;
  /** How many events it carries, and how many of them are not settled yet. */
  events = 1;
  unsettled = 1;
  /** How many of its events moved to a message of their own. */
  movedOut = 0;
  readonly #wire: WireWriter;
  readonly #reply: string;
  #settled = false;

  /**
   * Keeps nothing of the library's message: thousands are held at a time, and the garbage collector copies all they
   * refer to.
   * @param wire the writer of the connection that delivered it
   */
  constructor(wire: WireWriter, msg: Msg) {
    this.#wire = wire;
    this.#reply = msg.reply ?? "";
    this.subject = msg.subject;
    this.data = msg.data;
    this.headers = ReceivedHeaders.of(msg);
  }

  get stream(): string {
    return this.#token(2);
  }

  get streamSequence(): number {
    return Number(this.#token(5));
  }

  /** 1 the first time; naks, timeouts and killed processes raise it. */
  get deliveries(): number {
    return Number(this.#token(4));
  }

  /** Whether it was delivered before. Asked of every message, so it is cheap. */
  get isRedelivered(): boolean {
    const streamEnd = this.#reply.indexOf(".", "$JS.ACK.".length);
    const consumerEnd = this.#reply.indexOf(".", streamEnd + 1);
    // Newer servers have the stream's name here: then only splitting the subject tells.
    return !this.#reply.startsWith("1.", consumerEnd + 1) && this.deliveries > 1;
  }

  /** When the stream stored it, in ms since the epoch. */
  get storedAt(): number {
    return Math.floor(Number(this.#token(7)) / 1e6);
  }

  /** Sets how many events it carries, before any of them is settled. */
  carries(events: number): void {
    this.events = events;
    this.unsettled = events;
  }

  /** Settled: done. */
  ack(): void {
    this.#settle("+ACK");
  }

  /** Settled: never delivered again. A work queue then deletes it, so store its dead letter first. */
  term(): void {
    this.#settle("+TERM");
  }

  /** Handed back: redelivered after `delayMs`, or at once. */
  nak(delayMs?: number): void {
    this.#settle(delayMs === undefined ? "-NAK" : `-NAK {"delay":${Math.round(delayMs * 1e6)}}`);
  }

  /** Still held: restarts its ack_wait. */
  working(): void {
    if (!this.#settled && !this.#wire.isClosed) this.#wire.say(this.#reply, "+WPI");
  }

  #settle(how: string): void {
    if (this.#settled || this.#wire.isClosed) return;
    this.#settled = true;
    this.#wire.say(this.#reply, how);
  }

  /**
   * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>`; newer servers put a
   * domain and an account hash before the stream and may add a token at the end.
   */
  #token(position: number): string {
    const tokens = tokensOf(this.#reply);
    const offset = tokens.length >= 11 ? 2 : 0;
    return tokens[position + offset] ?? "";
  }
}

/** Callers mostly ask for several tokens of one subject in a row. */
function tokensOf(subject: string): readonly string[] {
  if (subject !== lastSplit.subject) lastSplit = { subject, tokens: subject.split(".") };
  return lastSplit.tokens;
}
let lastSplit: { readonly subject: string; readonly tokens: readonly string[] } = {
  subject: "",
  tokens: [""],
};
