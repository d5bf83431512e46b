import type { NatsConnection } from "nats";
import { askBroker, StreamMissing } from "../jetstream/api.ts";
import { consumerNotFound, hasCode } from "../jetstream/api-error.ts";
import { consumersOf } from "../jetstream/consumer-state.ts";
import { countBySubject } from "../jetstream/stream-state.ts";
import {
  destinationOf,
  finalStage,
  retryDurable,
  retryStream,
  retrySubject,
  senderName,
  stageStream,
} from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";

/** Destinations that have a consumer of the log or waiting events, deleted ones among them. @throws Unavailable */
export async function destinationsAtBroker(nc: NatsConnection): Promise<ReadonlySet<string>> {
  const waiting = await countBySubject(nc, retryStream, retrySubject("*"));
  const consumers = await consumersOf(nc, stageStream(finalStage));
  return new Set([
    ...[...waiting.keys()].map((subject) => subject.slice(retrySubject("").length)),
    ...consumers.flatMap(({ name }) => destinationOf(name) ?? []),
  ]);
}

/**
 * Removes a deleted destination's consumers and waiting events. Harmless if another sender does the same.
 * @throws Unavailable
 */
export async function removeLeftovers(nc: NatsConnection, destination: string, log: Log): Promise<void> {
  const events = stageStream(finalStage);
  await remove(nc, retryStream, (jsm) => jsm.consumers.delete(retryStream, retryDurable(destination)));
  await remove(nc, retryStream, (jsm) =>
    jsm.streams.purge(retryStream, { filter: retrySubject(destination) }),
  );
  // Last, because the others are found through it.
  await remove(nc, events, (jsm) => jsm.consumers.delete(events, senderName(destination)));
  log.info({ destination }, "a destination was deleted: its consumers and waiting events are removed");
}

async function remove(...request: Parameters<typeof askBroker>): Promise<void> {
  await askBroker(...request).catch((err: unknown) => {
    if (!(err instanceof StreamMissing || hasCode(err, consumerNotFound))) throw err;
  });
}
