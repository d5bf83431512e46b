import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest } from "./api.ts";
import { ReceivedHeaders } from "./wire-headers.ts";

/** A message as it lies in its stream. */
export interface StoredMessage {
  readonly subject: string;
  readonly headers: ReceivedHeaders;
  readonly data: Uint8Array;
  /** In ms since the epoch. */
  readonly storedAt: number;
}

/** @param seq an integer from 1 on; undefined when the stream has no message of that number @throws Unavailable */
export async function readStored(
  nc: NatsConnection,
  stream: string,
  seq: number,
): Promise<StoredMessage | undefined> {
  let found: Readonly<Record<string, unknown>>;
  try {
    const { message } = await askBroker(nc, `STREAM.MSG.GET.${stream}`, { seq });
    found = isObject(message) ? message : {};
  } catch (err) {
    if (err instanceof RefusedRequest && err.isMessageMissing) return undefined;
    throw err;
  }
  const { subject, hdrs, data, time } = found;
  return {
    subject: String(subject),
    headers: new ReceivedHeaders(bytesOf(hdrs).toString()),
    data: bytesOf(data),
    storedAt: Date.parse(String(time)),
  };
}

/** @returns false when it was gone already @throws Unavailable, RefusedRequest */
export async function deleteStored(nc: NatsConnection, stream: string, seq: number): Promise<boolean> {
  try {
    await askBroker(nc, `STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true });
    return true;
  } catch (err) {
    if (!(err instanceof RefusedRequest)) throw err;
    // Older servers say all kinds of things about a message that is gone.
    if (err.isMessageMissing || (await readStored(nc, stream, seq)) === undefined) return false;
    throw err;
  }
}

function bytesOf(base64: unknown): Buffer {
  return Buffer.from(typeof base64 === "string" ? base64 : "", "base64");
}
