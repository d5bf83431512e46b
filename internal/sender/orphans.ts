import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { askBroker, isObject } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { retryDurable, retryStream, retrySubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";

/** Between two looks: only what stays is an orphan. */
const secondLookMs = 250;

/**
 * Has the broker deliver again what waits for a destination, where CASINO_RETRY holds something of it that its consumer is done
 * with: a nats-server 2.9 that was killed may know that it was acknowledged, and not that it was removed. Nobody would ever get
 * it, and everybody who counts what waits would count it. The consumer is removed for that, which its mailbox makes anew: what was
 * delivered already is then delivered twice, as after any crash.
 * @returns how many there were
 * @throws Unavailable, StreamMissing, RefusedRequest
 */
export async function freeOrphans(nc: NatsConnection, destination: string, log: Log): Promise<number> {
  // Of most destinations nothing waits, and each is asked about every minute.
  if ((await storedFor(nc, destination)) === 0) return 0;
  const first = await orphansOf(nc, destination);
  if (first === 0) return 0;
  await sleep(secondLookMs);
  const orphans = Math.min(first, await orphansOf(nc, destination));
  if (orphans === 0) return 0;
  await askBroker(nc, `CONSUMER.DELETE.${retryStream}.${retryDurable(destination)}`);
  log.warn(
    { destination, orphans },
    "the broker holds deliveries that it would never deliver: they come again",
  );
  return orphans;
}

/** How many messages the stream has for a destination beyond those that its consumer has; 0 while anything moves. */
async function orphansOf(nc: NatsConnection, destination: string): Promise<number> {
  const name = retryDurable(destination);
  const before = await consumerOf(nc, retryStream, name);
  const stored = await storedFor(nc, destination);
  const after = await consumerOf(nc, retryStream, name);
  // They do not answer for the same instant: what they say can be compared where nothing has moved in between.
  if (before === undefined || after === undefined || JSON.stringify(before) !== JSON.stringify(after))
    return 0;
  return Math.max(0, stored - after.pending - after.unacknowledged);
}

async function storedFor(nc: NatsConnection, destination: string): Promise<number> {
  const subject = retrySubject(destination);
  const { state } = await askBroker(nc, `STREAM.INFO.${retryStream}`, { subjects_filter: subject });
  const subjects = isObject(state) && isObject(state.subjects) ? state.subjects : {};
  return Number(subjects[subject] ?? 0);
}
