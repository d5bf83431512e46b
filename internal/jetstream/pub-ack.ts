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

/** The server has one code for a stream that is at its limit, and for one that cannot write. */
const storeFailed = 10077;
const limitReached = /^maximum .* exceeded/;

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
    return (this.code === storeFailed && limitReached.test(this.message)) || this.code === 10047;
  }

  /** The server could not write it down: its disk is full, or files of the stream are gone. */
  get isStoreBroken(): boolean {
    return this.code === storeFailed && !limitReached.test(this.message);
  }

  /** Something else was stored first where the message had to be the next. */
  get isOutrun(): boolean {
    return this.code === 10071;
  }

  /** No stream takes its subject: its stream is missing, or at the moment nobody leads it. */
  get isStreamMissing(): boolean {
    return this.code === 503;
  }

  /** The message is larger than the server or the stream takes; it never fits. */
  get isTooLarge(): boolean {
    return this.code === tooLarge || this.code === 10054;
  }
}

/**
 * What the broker answered to a message of this subject.
 * @returns undefined for what is neither a PubAck nor a refusal: it is not from the broker and says nothing
 */
export function parsePubAck(msg: Msg, subject: string): PubAck | PublishError | undefined {
  const { data } = msg;
  if (data.length === 0)
    return msg.headers?.code === noResponders
      ? new PublishError(
          `no stream takes ${subject}: its stream is missing or JetStream is away`,
          noResponders,
        )
      : undefined;
  const answer = jsonOf(msg);
  if (!isRecord(answer)) return undefined;
  const { error, stream, seq, duplicate } = answer;
  if (isRecord(error)) {
    const { description, code, err_code } = error;
    if (typeof description !== "string" || typeof code !== "number") return undefined;
    return new PublishError(description, typeof err_code === "number" ? err_code : 0);
  }
  if (typeof stream !== "string" || typeof seq !== "number") return undefined;
  return { stream, seq, duplicate: duplicate === true };
}

/** The status with which the server itself answers where nobody listens. */
const noResponders = 503;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Whoever answers may send anything, and what is thrown here would end the reading of the connection. */
function jsonOf(msg: Msg): unknown {
  try {
    return msg.json();
  } catch {
    return undefined;
  }
}
