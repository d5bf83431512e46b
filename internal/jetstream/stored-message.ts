import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest } from "./api.ts";
import { ReceivedHeaders } from "./wire-headers.ts";

/** A message as it is stored. */
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
  let found: Readonly<Record<string, unknown>>;
  try {
    const { message } = await askBroker(nc, `STREAM.MSG.GET.${stream}`, which);
    found = isObject(message) ? message : {};
  } catch (err) {
    if (err instanceof RefusedRequest && err.isMessageMissing) return undefined;
    throw err;
  }
  const { seq, subject, hdrs, data, time } = found;
  return {
    stream,
    seq: Number(seq),
    subject: String(subject),
    headers: new ReceivedHeaders(bytesOf(hdrs).toString()),
    data: bytesOf(data),
    storedAt: Date.parse(String(time)),
  };
}

/**
 * @param overwrite also overwrites its bytes on the server's disk, which takes longer
 * @returns false when it was already gone
 * @throws Unavailable, RefusedRequest
 */
export async function deleteStored(
  nc: NatsConnection,
  stream: string,
  seq: number,
  overwrite = false,
): Promise<boolean> {
  try {
    await askBroker(nc, `STREAM.MSG.DELETE.${stream}`, { seq, no_erase: !overwrite });
    return true;
  } catch (err) {
    if (!(err instanceof RefusedRequest)) throw err;
    // Older servers answer in various ways about a message that is gone.
    if (err.isMessageMissing || (await readStored(nc, stream, seq)) === undefined) return false;
    throw err;
  }
}

function bytesOf(base64: unknown): Buffer {
  return Buffer.from(typeof base64 === "string" ? base64 : "", "base64");
}
