import type { NatsConnection } from "nats";
import { endOfHeaders, type OutgoingHeaders } from "./wire-headers.ts";

/** The part of a connection that sends raw bytes and counts them. Its published type hides it; a test checks it. */
interface Wire {
  outMsgs: number;
  outBytes: number;
  readonly noMorePublishing: boolean;
  sendCommand(frame: Uint8Array): void;
}

const slabBytes = 64 * 1024;
/** How long an acknowledgement may wait for other messages. A crash meanwhile only causes a redelivery. */
const sayWithinMs = 5;
const lineBreak = "\r\n";
/** Most bytes of one UTF-16 unit in UTF-8. */
const perCharacter = 3;

/**
 * Publishes on a connection as `nc.publish` does, with less work: some 8 µs of CPU less for a final event and its
 * acknowledgement, a tenth of what the whole pipeline spends on an event. The library encodes each part of a message
 * separately and copies the parts together when it sends. Here each message is written once, as one frame (HPUB or
 * PUB of the client protocol), into memory shared by many frames, and all frames of one turn of the event loop are
 * sent as one.
 * Nobody waits for acknowledgements, so they go with the next message: alone, each would wake the server and cost a
 * write. Order is kept, except that messages of the same turn that go through the library itself go first.
 */
export class WireWriter {
  readonly #nc: NatsConnection;
  readonly #wire: Wire;
  // Written once, front to back: the socket may still hold slices of it.
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;
  /** Everything before is sent. */
  #handedOver = 0;
  #isScheduled = false;
  #isScheduledLater = false;

  private constructor(nc: NatsConnection) {
    this.#nc = nc;
    this.#wire = (nc as unknown as { protocol: Wire }).protocol; // see Wire
  }

  /** The connection's writer, shared by all who publish on it. */
  static of(nc: NatsConnection): WireWriter {
    const writer = known.get(nc) ?? new WireWriter(nc);
    known.set(nc, writer);
    return writer;
  }

  /** Whether the connection is closed for good. */
  get isClosed(): boolean {
    return this.#nc.isClosed();
  }

  /**
   * Sends a message with headers.
   * @returns false, and sends nothing, when the message is larger than the server takes
   * @throws Error when the connection is closed or the subject is invalid
   */
  publish(subject: string, reply: string, headers: OutgoingHeaders, payload: Uint8Array | string): boolean {
    if (this.#isShut || unfit.test(subject)) this.#refuse(subject);
    const { text } = headers;
    const headerBytes = Buffer.byteLength(text) + endOfHeaders.length;
    const payloadBytes = Buffer.byteLength(payload);
    const bytes = headerBytes + payloadBytes;
    if (bytes > (this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY)) return false;
    const head = `HPUB ${subject} ${reply} ${headerBytes} ${bytes}\r\n${text}${endOfHeaders}`;
    const slab = this.#room(perCharacter * head.length + payloadBytes + lineBreak.length);
    let end = this.#used;
    if (typeof payload === "string") end += slab.write(head + payload + lineBreak, end);
    else {
      end += slab.write(head, end);
      slab.set(payload, end);
      end += payload.length;
      end += slab.write(lineBreak, end);
    }
    this.#add(end, bytes);
    if (this.#isScheduled) return true;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.handOver();
    });
    return true;
  }

  /**
   * Sends a short ASCII text without headers or reply subject within some ms: an acknowledgement.
   * @throws Error when the connection is closed
   */
  say(subject: string, text: string): void {
    if (this.#isShut) this.#refuse(subject);
    const bytes = text.length;
    const frame = `PUB ${subject} ${bytes}\r\n${text}\r\n`;
    const slab = this.#room(perCharacter * frame.length);
    this.#add(this.#used + slab.write(frame, this.#used), bytes);
    if (this.#isScheduled || this.#isScheduledLater) return;
    this.#isScheduledLater = true;
    setTimeout(() => {
      this.#isScheduledLater = false;
      if (!this.#isShut) this.handOver();
    }, sayWithinMs);
  }

  get #isShut(): boolean {
    return this.#wire.noMorePublishing || this.#nc.isClosed();
  }

  /** Throws the library's own error. */
  #refuse(subject: string): void {
    this.#nc.publish(subject);
  }

  /** Memory with room for this many bytes from `#used` on. */
  #room(bytes: number): Buffer {
    if (this.#slab.length - this.#used < bytes) {
      this.handOver();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.#used = this.#handedOver = 0;
    }
    return this.#slab;
  }

  /** Notes that one more frame ends there. */
  #add(end: number, bytes: number): void {
    this.#used = end;
    this.#wire.outMsgs++;
    this.#wire.outBytes += bytes;
  }

  /** Sends what is written so far, for callers that cannot wait for the end of the turn. */
  handOver(): void {
    if (this.#handedOver === this.#used) return;
    this.#wire.sendCommand(this.#slab.subarray(this.#handedOver, this.#used));
    this.#handedOver = this.#used;
  }
}

const known = new WeakMap<NatsConnection, WireWriter>();
const unfit = /^$|\s/;
