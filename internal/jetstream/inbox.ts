import { randomBytes, randomFillSync } from "node:crypto";
import type { NatsConnection } from "nats";

/** Bytes: too many to guess. Of a thousand inboxes under one prefix two are the same in one of 500 million systems. */
const randomPart = 6;

/**
 * A new subject on which only this connection listens, under the prefix it was given: permissions that keep services
 * apart allow no other.
 *
 * Shorter than the library's `createInbox`: both sides read it letter by letter with each PubAck.
 */
export function privateInbox(nc: NatsConnection): string {
  return `${prefixOf(nc)}.${token()}`;
}

/**
 * A new subject for the answer of a micro service, `<prefix>_questions.<token>`. Whoever may ask a micro service chooses
 * where its answer goes, so the service must not be allowed to reach the inboxes on which PubAcks are awaited.
 */
export function questionInbox(nc: NatsConnection): string {
  return `${prefixOf(nc)}_questions.${token()}`;
}

function token(): string {
  return randomBytes(randomPart).toString("base64url");
}

/** The library's type of a connection does not show its options, which every connection has. */
function prefixOf(nc: NatsConnection): string {
  return (nc as { options?: { inboxPrefix?: string } }).options?.inboxPrefix ?? "_INBOX";
}

const drawn = new Uint32Array(2048);
let next = drawn.length;

/** 32 random bits that nobody can predict. The system is asked for 8 KiB at a time, which makes one cost nanoseconds. */
export function unguessable(): number {
  if (next === drawn.length) {
    randomFillSync(drawn);
    next = 0;
  }
  return drawn[next++] ?? 0;
}
