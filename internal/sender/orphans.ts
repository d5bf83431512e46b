import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { askBroker } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { countBySubject } from "../jetstream/stream-state.ts";
import { retryDurable, retryStream, retrySubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";

/** Pause between two checks: only a message that both find is an orphan. */
const secondLookMs = 250;

/**
 * Makes the broker deliver a destination's messages of CASINO_RETRY again if its consumer considers them handled: a
 * killed nats-server 2.9 may remember that a message was acknowledged, but not that it was removed. Nobody would ever
 * receive such a message, but every count of waiting messages would include it. This removes the consumer, which its
 * mailbox creates again. What was already delivered then comes twice, as after any crash.
 * @returns how many there were
 * @throws Unavailable, StreamMissing, JetStreamApiError
 */
export async function freeOrphans(nc: NatsConnection, destination: string, log: Log): Promise<number> {
  // Cheap first check, because most destinations have nothing waiting and each is checked every minute.
  if ((await storedFor(nc, destination)) === 0) return 0;
  const first = await orphansOf(nc, destination);
  if (first === 0) return 0;
  await sleep(secondLookMs);
  const orphans = Math.min(first, await orphansOf(nc, destination));
  if (orphans === 0) return 0;
  await askBroker(nc, retryStream, (jsm) => jsm.consumers.delete(retryStream, retryDurable(destination)));
  log.warn(
    { destination, orphans },
    "the broker holds deliveries that it would never deliver: they are delivered again",
  );
  return orphans;
}

/** How many of a destination's messages the stream has but its consumer does not; 0 while anything changes. */
async function orphansOf(nc: NatsConnection, destination: string): Promise<number> {
  const name = retryDurable(destination);
  const before = await consumerOf(nc, retryStream, name);
  const stored = await storedFor(nc, destination);
  const after = await consumerOf(nc, retryStream, name);
  // The answers are of different moments, so they are comparable only if nothing changed in between.
  if (before === undefined || after === undefined || JSON.stringify(before) !== JSON.stringify(after))
    return 0;
  return Math.max(0, stored - after.pending - after.unacknowledged);
}

async function storedFor(nc: NatsConnection, destination: string): Promise<number> {
  const subject = retrySubject(destination);
  return (await countBySubject(nc, retryStream, subject)).get(subject) ?? 0;
}
