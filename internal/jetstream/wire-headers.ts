import type { JsMsg } from "@nats-io/jetstream";
import type { Msg, MsgHdrs } from "nats";

const version = "NATS/1.0";

/**
 * The client's messages know their size on the wire, and those of its consumers hold such a message, though the
 * interfaces hide both. Tests check it.
 */
interface SizedMsg extends Msg {
  /** Bytes of subject, reply subject, headers and payload. */
  size(): number;
}

/**
 * The headers of a received message, read from its bytes (ADR-4 of the NATS architecture). The library's reader
 * throws on a name with a space in it, and takes a third of the time that a small event costs. Any producer may send
 * any header, so this reader accepts everything.
 */
export class ReceivedHeaders {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** As they will be received. */
  static from(headers: OutgoingHeaders): ReceivedHeaders {
    return new ReceivedHeaders(headers.text + endOfHeaders);
  }

  /** The headers of a message; empty when it has none. */
  static of(msg: Msg): ReceivedHeaders {
    const { data, subject, reply = "" } = msg;
    const rest = (msg as SizedMsg).size() - data.length;
    // Characters before bytes: almost all subjects are ASCII, and counting bytes takes time.
    return (
      before(data, rest - subject.length - reply.length) ??
      before(data, rest - Buffer.byteLength(subject) - Buffer.byteLength(reply)) ??
      none
    );
  }

  /** The headers of a message from the library's own consumers. */
  static ofJetStream(message: JsMsg): ReceivedHeaders {
    return ReceivedHeaders.of((message as unknown as { readonly msg: Msg }).msg);
  }

  /**
   * The first value of a header, trimmed; empty when absent. Names are case-sensitive, as in NATS.
   * @param name a constant of the code: it is cached
   */
  get(name: string): string {
    const beginning = beginningOf(name);
    const start = this.#text.indexOf(beginning);
    if (start < 0) return "";
    const from = start + beginning.length;
    return this.#text.slice(from, this.#text.indexOf("\r\n", from)).trim();
  }

  /** All headers in order, repeated ones too; malformed lines are left out. */
  *entries(): Generator<readonly [name: string, value: string]> {
    for (const line of this.#text.split("\r\n").slice(1)) {
      const colon = line.indexOf(":");
      if (colon > 0) yield [line.slice(0, colon), line.slice(colon + 1).trim()];
    }
  }
}

/** How a header's line begins. Cached, because building it takes as long as finding it. */
function beginningOf(name: string): string {
  const known = beginnings.get(name);
  if (known !== undefined) return known;
  const beginning = `\r\n${name}:`;
  beginnings.set(name, beginning);
  return beginning;
}
const beginnings = new Map<string, string>();

const none = new ReceivedHeaders("");
let received: Buffer<ArrayBufferLike> = Buffer.alloc(0);

/** The headers in the bytes right before a payload; undefined where there are none. */
function before({ buffer, byteOffset }: Uint8Array, length: number): ReceivedHeaders | undefined {
  if (length < version.length || byteOffset < length) return undefined;
  // Many messages arrive in one buffer.
  if (received.buffer !== buffer) received = Buffer.from(buffer);
  const text = received.toString("utf8", byteOffset - length, byteOffset);
  return text.startsWith(version) ? new ReceivedHeaders(text) : undefined;
}

/** Headers ready to send. `add` takes any text and replaces line breaks by spaces. */
export class OutgoingHeaders {
  #text = version;

  add(name: string, value: string): this {
    this.#text += `\r\n${name}: ${breaks.test(value) ? value.replace(allBreaks, " ") : value}`;
    return this;
  }

  /** All headers; `endOfHeaders` has to follow. */
  get text(): string {
    return this.#text;
  }

  /** Called by the client when it writes the message. */
  encode(): Uint8Array {
    return Buffer.from(this.#text + endOfHeaders);
  }

  /** For `nc.publish`, which uses nothing of headers but `encode`; a test checks that. */
  get forPublish(): MsgHdrs {
    return this as unknown as MsgHdrs;
  }
}

/** The empty line after the last header. */
export const endOfHeaders = "\r\n\r\n";

const breaks = /[\r\n]/;
const allBreaks = /[\r\n]+/g;
