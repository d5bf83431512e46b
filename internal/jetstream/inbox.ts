import { randomBytes, randomFillSync } from "node:crypto";
import type { NatsConnection } from "nats";

/** In bytes: too many to guess. Two of a thousand inboxes under one prefix collide in one of 500 million systems. */
const randomPart = 6;

/**
 * A new subject under the connection's own prefix, on which nobody else listens: permissions that keep services apart
 * allow no other.
 *
 * Shorter than the library's `createInbox`, because both sides parse it with each PubAck.
 */
export function privateInbox(nc: NatsConnection): string {
  return `${prefixOf(nc)}.${token()}`;
}

/**
 * A new subject for the answers of a micro service, `<prefix>_questions.<token>`. Whoever asks a micro service
 * chooses where the answer goes, so the service must not be able to reach the inboxes that await PubAcks.
 */
export function questionInbox(nc: NatsConnection): string {
  return `${prefixOf(nc)}_questions.${token()}`;
}

function token(): string {
  return randomBytes(randomPart).toString("base64url");
}

/** Every connection has options, though the library's type hides them. */
function prefixOf(nc: NatsConnection): string {
  return (nc as { options?: { inboxPrefix?: string } }).options?.inboxPrefix ?? "_INBOX";
}

const drawn = new Uint32Array(2048);
let next = drawn.length;

/** 32 unpredictable random bits. The system is asked for 8 KiB at a time, so one costs nanoseconds. */
export function unguessable(): number {
  if (next === drawn.length) {
    randomFillSync(drawn);
    next = 0;
  }
  return drawn[next++] ?? 0;
}
