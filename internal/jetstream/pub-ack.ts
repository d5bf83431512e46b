import type { Msg } from "nats";

/** The broker's word that a message is stored. */
export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  /** A message of this id is already in the stream (within its duplicate window); nothing was stored again. */
  readonly duplicate: boolean;
}

/** The code of a message that was not even sent: it is larger than what the server takes. */
export const tooLarge = -1;

/** Why a message was not stored, as questions to ask. */
export class PublishError extends Error {
  override readonly name = "PublishError";
  /** The server's error code (errors.json), 503 for "nobody listens", 0 where the server said nothing. */
  readonly code: number;

  constructor(message: string, code = 0, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The stream is at its limit (discard new): it may have room later. */
  get isStreamFull(): boolean {
    return this.code === 10077 || this.code === 10047;
  }

  /** The message is larger than the server or the stream takes; it never fits. */
  get isTooLarge(): boolean {
    return this.code === tooLarge || this.code === 10054;
  }
}

/** What the broker answered to a message of this subject. */
export function parsePubAck(msg: Msg, subject: string): PubAck | PublishError {
  const { data } = msg;
  if (isPlainlyStored(data)) return new Stored(data);
  if (data.length === 0)
    return new PublishError(
      `no stream takes ${subject}: its stream is missing or JetStream is away`,
      msg.headers?.code ?? 0,
    );
  const answer = jsonOf(msg);
  if (typeof answer !== "object" || answer === null) return new PublishError("the PubAck is no JSON object");
  const { error, stream, seq, duplicate } = answer as Record<string, unknown>; // every field is checked below
  if (typeof error === "object" && error !== null) {
    const { description, err_code } = error as Record<string, unknown>; // likewise
    return new PublishError(String(description), typeof err_code === "number" ? err_code : 0);
  }
  if (typeof stream !== "string" || typeof seq !== "number")
    return new PublishError("the PubAck names no stream and sequence");
  return { stream, seq, duplicate: duplicate === true };
}

/** Whoever answers may send anything, and what is thrown here would end the reading of the connection. */
function jsonOf(msg: Msg): unknown {
  try {
    return msg.json();
  } catch {
    return undefined;
  }
}

const beginning = Buffer.from('{"stream":"');
const beforeNumber = Buffer.from('"seq":');
const [digit0 = 0, digit9 = 0, brace = 0] = Buffer.from("09}");
const mostDigits = 15;

/**
 * Whether it is the usual PubAck, `{"stream":"NAME","seq":N}` (before nats-server 2.12 with a space). The server says an error
 * before the stream's name, a JetStream domain between the two, and that it was a copy after the sequence.
 */
function isPlainlyStored(data: Uint8Array): boolean {
  let end = data.length - 1;
  if (data[end] !== brace) return false;
  const firstDigit = Math.max(0, end - mostDigits);
  while (end > firstDigit && isDigit(data[end - 1])) end--;
  if (end === data.length - 1) return false;
  return has(data, end - beforeNumber.length, beforeNumber) && has(data, 0, beginning);
}

function isDigit(byte = 0): boolean {
  return byte >= digit0 && byte <= digit9;
}

function has(data: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++) if (data[at + index] !== wanted[index]) return false;
  return true;
}

/** The usual PubAck. Reading it takes a good part of the time of a publish, and hardly anybody asks what it says. */
class Stored implements PubAck {
  readonly duplicate = false;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get stream(): string {
    const text = this.#text;
    return text.slice(beginning.length, text.indexOf('"', beginning.length));
  }

  get seq(): number {
    const text = this.#text;
    return Number(text.slice(text.lastIndexOf(":") + 1, -1));
  }

  get #text(): string {
    return Buffer.from(this.#data).toString();
  }
}
