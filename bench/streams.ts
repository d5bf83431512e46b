import { jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";

/** Deletes every stream, so that each measurement starts from nothing. */
export async function clear(nc: NatsConnection): Promise<void> {
  const jsm = await jetstreamManager(nc);
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name);
}

/** Creates an empty work queue like CASINO_RAW. @returns the subject to publish to */
export async function freshQueue(nc: NatsConnection, name: string): Promise<string> {
  await clear(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({
    name,
    subjects: [`${name}.*`],
    retention: RetentionPolicy.Workqueue,
    duplicate_window: 120_000_000_000,
  });
  return `${name}.casino`;
}

/** How many messages a stream has ever stored; 0 if it does not exist. */
export async function messagesStored(nc: NatsConnection, stream: string): Promise<number> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const info = await jsm.streams.info(stream).catch(() => undefined);
  return info?.state.last_seq ?? 0;
}
