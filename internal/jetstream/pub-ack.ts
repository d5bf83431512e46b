import type { Msg } from "nats";
import { outrun } from "./api-error.ts";

/** The broker's confirmation that a message is stored. */
export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  /** The stream already had a message of this id (within its duplicate window) and stored nothing. */
  readonly duplicate: boolean;
}

/** Code of a message that was not even sent, because it is larger than the server takes. */
export const tooLarge = -1;

/** The server has one code both for a full stream and for a failed write. */
const storeFailed = 10077;
const limitReached = /^maximum .* exceeded/;
const inProcess = 10158;

/** Why a message was not stored, as questions to ask. */
export class PublishError extends Error {
  override readonly name = "PublishError";
  /** The server's error code (errors.json), 503 for "no responders", 0 where the server said nothing. */
  readonly code: number;

  constructor(message: string, code = 0, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The stream is at its limit (discard new); it may have room later. */
  get isStreamFull(): boolean {
    return (this.code === storeFailed && limitReached.test(this.message)) || this.code === 10047;
  }

  /** The server could not write the message: its disk is full, or files of the stream are gone. */
  get isStoreBroken(): boolean {
    return this.code === storeFailed && !limitReached.test(this.message);
  }

  /** Another message was stored first where this one had to be the next, or is being stored. */
  get isOutrun(): boolean {
    return outrun.includes(this.code);
  }

  /** The cluster is still storing an earlier message of this id, and may lose it with its leader: publish it again. */
  get isInProcess(): boolean {
    return this.code === inProcess;
  }

  /** No stream takes the subject: the stream is missing or has no leader right now. */
  get isStreamMissing(): boolean {
    return this.code === 503;
  }

  /** The message is larger than the server or the stream takes: it will never fit. */
  get isTooLarge(): boolean {
    return this.code === tooLarge || this.code === 10054;
  }
}

/**
 * The broker's answer to a message on this subject.
 * @returns undefined for anything that is neither a PubAck nor a refusal: the broker did not send it
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
  // In a cluster, nats-server 2.10.14 and newer 2.10 call a message "duplicate" that they have not stored.
  if (seq === 0) return new PublishError("duplicate message id is in process", inProcess);
  return { stream, seq, duplicate: duplicate === true };
}

/** The server's own status where nobody listens. */
const noResponders = 503;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Anybody may answer with anything, and throwing here would end the reading of the connection. */
function jsonOf(msg: Msg): unknown {
  try {
    return msg.json();
  } catch {
    return undefined;
  }
}
