import { createInbox, type NatsConnection } from "nats";

/**
 * A new subject on which only this connection listens, under the prefix it was given: permissions that keep services
 * apart allow no other. The library's type of a connection does not show its options, which every connection has.
 */
export function privateInbox(nc: NatsConnection): string {
  return createInbox((nc as { options?: { inboxPrefix?: string } }).options?.inboxPrefix);
}
