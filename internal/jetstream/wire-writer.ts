import type { NatsConnection } from "nats";
import { endOfHeaders, type OutgoingHeaders } from "./wire-headers.ts";

/**
 * The part of a connection that sends bytes as they are and counts what it sent. Its published type does not show it; a
 * test holds the library to it.
 */
interface Wire {
  outMsgs: number;
  outBytes: number;
  readonly noMorePublishing: boolean;
  sendCommand(frame: Uint8Array): void;
}

const slabBytes = 64 * 1024;
/** How long an acknowledgement may wait for company: by then a crash only brings what it was about once more. */
const sayWithinMs = 5;
const lineBreak = "\r\n";
/** Most bytes of a character of a string in UTF-8. */
const perCharacter = 3;

/**
 * Publishes on a connection as `nc.publish` does, with less work: the library encodes each part of a message by itself and
 * copies the parts together when it sends, here a message is written once, as one frame (HPUB or PUB of the client
 * protocol), into memory that many frames share, and all frames of one turn of the event loop are handed over as one.
 * Acknowledgements, for which nobody waits, go with the next message: by themselves each would wake the server and cost a write.
 * They keep their order; what goes through the library itself in the same turn goes before them.
 */
export class WireWriter {
  readonly #nc: NatsConnection;
  readonly #wire: Wire;
  // Written once, front to back: the socket may still hold what was cut from it.
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;
  /** What lies before was handed over. */
  #handedOver = 0;
  #isScheduled = false;
  #isScheduledLater = false;

  private constructor(nc: NatsConnection) {
    this.#nc = nc;
    this.#wire = (nc as unknown as { protocol: Wire }).protocol; // see Wire
  }

  /** That of a connection: one for all who publish on it. */
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
   * @returns false, and sends nothing, when it is larger than the server takes
   * @throws Error when the connection is closed or a subject is none
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
   * Sends a short ASCII text without headers or reply subject, within some ms: an acknowledgement, to where the server wants it.
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

  /** In the library's own words. */
  #refuse(subject: string): void {
    this.#nc.publish(subject);
  }

  /** Memory with room for so many bytes from `#used` on. */
  #room(bytes: number): Buffer {
    if (this.#slab.length - this.#used < bytes) {
      this.handOver();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.#used = this.#handedOver = 0;
    }
    return this.#slab;
  }

  /** A frame of one message of so many bytes now ends there. */
  #add(end: number, bytes: number): void {
    this.#used = end;
    this.#wire.outMsgs++;
    this.#wire.outBytes += bytes;
  }

  /** Hands over what was written until now, for who cannot wait for the end of the turn. */
  handOver(): void {
    if (this.#handedOver === this.#used) return;
    this.#wire.sendCommand(this.#slab.subarray(this.#handedOver, this.#used));
    this.#handedOver = this.#used;
  }
}

const known = new WeakMap<NatsConnection, WireWriter>();
const unfit = /^$|\s/;
