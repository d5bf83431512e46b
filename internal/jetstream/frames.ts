import type { NatsConnection } from "nats";
import type { OutgoingHeaders } from "./wire-headers.ts";

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
/** What the first line of a frame takes beside its subjects: the command, two sizes, spaces, the line break. */
const lineBytes = 32;
/** Most bytes of a character of a string in UTF-8. */
const perCharacter = 3;

/**
 * Publishes on a connection as `nc.publish` does, with less work: the library encodes each part of a message by itself and
 * copies the parts together when it sends, here a message is written once, as one frame (HPUB or PUB of the client
 * protocol), into memory that many frames share. What goes this way and what goes through `nc.publish` keep their order.
 */
export class Frames {
  readonly #nc: NatsConnection;
  readonly #wire: Wire;
  // Written once, front to back: the socket may still hold what was cut from it.
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;

  private constructor(nc: NatsConnection) {
    this.#nc = nc;
    this.#wire = (nc as unknown as { protocol: Wire }).protocol; // see Wire
  }

  /** Those of a connection: one for all who publish on it. */
  static of(nc: NatsConnection): Frames {
    const frames = known.get(nc) ?? new Frames(nc);
    known.set(nc, frames);
    return frames;
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
  publish(subject: string, reply: string, headers: OutgoingHeaders, payload: Uint8Array): boolean {
    this.#check(subject);
    const { text } = headers;
    const lineRoom = lineBytes + perCharacter * (subject.length + reply.length);
    const slab = this.#room(lineRoom + perCharacter * text.length + payload.length + 2);
    // The line comes first and tells the sizes of what follows, so it is written last, right before that.
    const body = this.#used + lineRoom;
    const headerBytes = slab.write(text, body);
    const bytes = headerBytes + payload.length;
    if (bytes > (this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY)) return false;
    slab.set(payload, body + headerBytes);
    const line = `HPUB ${subject} ${reply} ${headerBytes} ${bytes}\r\n`;
    const start = body - Buffer.byteLength(line);
    slab.write(line, start);
    this.#send(start, slab.write("\r\n", body + bytes) + body + bytes, bytes);
    return true;
  }

  /** Sends a short text without headers or reply subject, an acknowledgement. @throws Error as `publish` does */
  say(subject: string, text: string): void {
    this.#check(subject);
    const bytes = Buffer.byteLength(text);
    const frame = `PUB ${subject} ${bytes}\r\n${text}\r\n`;
    const slab = this.#room(perCharacter * frame.length);
    const start = this.#used;
    this.#send(start, start + slab.write(frame, start), bytes);
  }

  /** The library's own refusals, which it would otherwise make for each message. */
  #check(subject: string): void {
    if (this.#wire.noMorePublishing || this.#nc.isClosed() || unfit.test(subject)) this.#nc.publish(subject);
  }

  /** Memory with room for so many bytes from `#used` on. */
  #room(bytes: number): Buffer {
    if (this.#slab.length - this.#used < bytes) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.#used = 0;
    }
    return this.#slab;
  }

  #send(start: number, end: number, bytes: number): void {
    this.#used = end;
    this.#wire.outMsgs++;
    this.#wire.outBytes += bytes;
    this.#wire.sendCommand(this.#slab.subarray(start, end));
  }
}

const known = new WeakMap<NatsConnection, Frames>();
const unfit = /^$|\s/;
