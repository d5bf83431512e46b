import { type ApiError, JetStreamApiError } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { askBroker } from "./api.ts";
import { hasCode, messageNotFound } from "./api-error.ts";
import { ReceivedHeaders } from "./wire-headers.ts";

const timeoutMs = 5_000;

export interface StoredMessage {
  readonly stream: string;
  readonly seq: number;
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  readonly data: Uint8Array;
  /** In ms since the epoch. */
  readonly storedAt: number;
}

/** @param seq an integer from 1 on; undefined when the stream has no message of that number @throws Unavailable */
export function readStored(
  nc: NatsConnection,
  stream: string,
  seq: number,
): Promise<StoredMessage | undefined> {
  return read(nc, stream, { seq });
}

/** The last message of a subject; undefined when the stream has none. @throws Unavailable */
export function readLast(
  nc: NatsConnection,
  stream: string,
  subject: string,
): Promise<StoredMessage | undefined> {
  return read(nc, stream, { last_by_subj: subject });
}

/** The first message from a sequence on whose subject matches; undefined when there is none. @throws Unavailable */
export function readNext(
  nc: NatsConnection,
  stream: string,
  seq: number,
  filter: string,
): Promise<StoredMessage | undefined> {
  return read(nc, stream, { seq, next_by_subj: filter });
}

async function read(
  nc: NatsConnection,
  stream: string,
  which: { readonly seq: number; readonly next_by_subj?: string } | { readonly last_by_subj: string },
): Promise<StoredMessage | undefined> {
  try {
    const message = await askBroker(nc, stream, async () => {
      // Not by the library's own function: its reader throws on headers that any producer can send.
      const subject = `$JS.API.STREAM.MSG.GET.${stream}`;
      const answer = await nc.request(subject, JSON.stringify(which), { timeout: timeoutMs });
      const { error, message } = answer.json<StoredMessageAnswer>();
      if (error !== undefined) throw new JetStreamApiError(error);
      return message;
    });
    const { seq, subject, hdrs = "", data = "", time } = message;
    const headers = new ReceivedHeaders(Buffer.from(hdrs, "base64").toString());
    return { stream, seq, subject, headers, data: Buffer.from(data, "base64"), storedAt: Date.parse(time) };
  } catch (err) {
    if (hasCode(err, messageNotFound)) return undefined;
    throw err;
  }
}

/** As the server writes it: bytes as base64, absent when empty. */
interface StoredMessageAnswer {
  readonly error?: ApiError;
  readonly message: {
    readonly seq: number;
    readonly subject: string;
    readonly hdrs?: string;
    readonly data?: string;
    readonly time: string;
  };
}

/**
 * @param overwrite also overwrites its bytes on the server's disk, which takes longer
 * @returns false when it was already gone
 * @throws Unavailable, JetStreamApiError
 */
export async function deleteStored(
  nc: NatsConnection,
  stream: string,
  seq: number,
  overwrite = false,
): Promise<boolean> {
  try {
    return await askBroker(nc, stream, (jsm) => jsm.streams.deleteMessage(stream, seq, overwrite));
  } catch (err) {
    if (!(err instanceof JetStreamApiError)) throw err;
    // Older servers answer in various ways about a message that is gone.
    if (hasCode(err, messageNotFound) || (await readStored(nc, stream, seq)) === undefined) return false;
    throw err;
  }
}
