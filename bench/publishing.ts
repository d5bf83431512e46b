import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { newTraceparent, writeEnvelope } from "../internal/actor/envelope.ts";
import { randomEvents } from "../internal/generator/events.ts";
import { seededRandom } from "../internal/generator/random.ts";
import { type Outgoing, Publisher } from "../internal/jetstream/publisher.ts";
import { rawStage } from "../internal/jetstream/subjects.ts";
import { freshQueue } from "./environment.ts";

const window = 4096;

/** Events that pass before a clock starts: what is measured runs for days, and new programs compile their code first. */
export const warmUp = 20_000;

/** Raw events as JSON, ids from `firstId`. */
export function rawPayloads(count: number, firstId = 1): readonly Buffer[] {
  const events = randomEvents(seededRandom(firstId), () => new Date());
  return Array.from({ length: count }, (_, index) =>
    Buffer.from(JSON.stringify({ ...events.next().value, id: firstId + index })),
  );
}

/** A message of a stage about the event of this id, with the headers that its publisher gives it. */
export function messageOf(
  { subject, source, stage }: { readonly subject: string; readonly source: string; readonly stage: string },
  id: number,
  payload: Buffer,
): Outgoing {
  const envelope = { client: "casino", source, traceparent: newTraceparent() };
  return { subject, payload, headers: writeEnvelope(envelope, id, stage) };
}

/** Messages as the generator publishes them: the same bytes, the same headers. */
export function rawMessages(count: number, subject: string, source: string): readonly Outgoing[] {
  const place = { subject, source, stage: rawStage };
  return rawPayloads(count).map((payload, index) => messageOf(place, index + 1, payload));
}

/** How often an event is published on its way through the pipeline. */
const publishesPerEvent = 4;

/**
 * The broker's own limit, in acknowledged publishes per second: the pipeline's raw messages with their headers, 4,096
 * in flight, one subscription for all PubAcks, which are only counted. No client of one connection can be faster.
 *
 * As many as so many events take end to end, so that a noisy spell of the machine weighs as much here as there.
 */
export async function rawLimit(nc: NatsConnection, events: number): Promise<number> {
  const messages = rawMessages(events, "BENCH.casino", "limit");
  await countPubAcks(nc, messages.slice(0, warmUp));
  let seconds = 0;
  for (let pass = 0; pass < publishesPerEvent; pass++) seconds += await countPubAcks(nc, messages);
  return (publishesPerEvent * events) / seconds;
}

/** Publishes all of them into a fresh stream. @returns the seconds until the last PubAck */
async function countPubAcks(nc: NatsConnection, messages: readonly Outgoing[]): Promise<number> {
  const subject = await freshQueue(nc, "BENCH");
  let sent = 0;
  let acked = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const pump = () => {
    for (; sent < messages.length && sent - acked < window; sent++) {
      const message = messages[sent];
      if (message !== undefined)
        nc.publish(subject, message.payload, { headers: message.headers.forPublish, reply: "bench.acks" });
    }
  };
  const subscription = nc.subscribe("bench.acks", {
    callback: () => {
      if (++acked === messages.length) resolve();
      pump();
    },
  });
  const started = performance.now();
  pump();
  await promise;
  const seconds = (performance.now() - started) / 1000;
  subscription.unsubscribe();
  return seconds;
}

/** The same messages through the pipelined publisher, every PubAck checked and routed to its message. */
export async function publisherSpeed(nc: NatsConnection, count: number): Promise<number> {
  const subject = await freshQueue(nc, "BENCH");
  const messages = rawMessages(count, subject, "publisher");
  const publisher = new Publisher(nc, { window });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let stored = 0;
  const started = performance.now();
  for (const message of messages) {
    await publisher.room();
    publisher.send(message, (outcome) => {
      if (outcome instanceof Error) reject(outcome);
      else if (++stored === count) resolve();
    });
  }
  await promise;
  const speed = perSecond(count, started);
  publisher.close();
  return speed;
}

/** The same number of messages by the library's `js.publish`, 2,000 at once. */
export async function libraryPublishSpeed(nc: NatsConnection, count: number): Promise<number> {
  const subject = await freshQueue(nc, "BENCH");
  const messages = rawMessages(count, subject, "library");
  const js = jetstream(nc);
  const started = performance.now();
  for (let from = 0; from < count; from += 2_000)
    await Promise.all(
      messages
        .slice(from, from + 2_000)
        .map(({ payload }, i) => js.publish(subject, payload, { msgID: String(from + i) })),
    );
  return perSecond(count, started);
}

export function perSecond(count: number, started: number): number {
  return count / ((performance.now() - started) / 1000);
}
