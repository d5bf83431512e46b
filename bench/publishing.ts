import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { IngestBuffer } from "../internal/jetstream/ingest-buffer.ts";
import { type Outgoing, Publisher } from "../internal/jetstream/publisher.ts";
import { newTraceparent, writeEnvelope } from "../internal/messages/envelope.ts";
import { rawStage } from "../internal/messages/subjects.ts";
import type { Bench } from "./environment.ts";
import { randomPayloads } from "./load/random-payloads.ts";
import type { Measurement } from "./measurement.ts";
import type { Options } from "./options.ts";
import { freshQueue } from "./streams.ts";
import { speedRow } from "./table.ts";

const window = 4096;

/** Raw events as JSON, ids from `firstId`. */
export function rawPayloads(count: number, firstId = 1): readonly Buffer[] {
  const payloads = randomPayloads(firstId);
  return Array.from({ length: count }, () => Buffer.from(payloads.next().value));
}

/** A message of a stage with the event of this id, and with its publisher's headers. */
export function messageOf(
  { subject, source, stage }: { readonly subject: string; readonly source: string; readonly stage: string },
  id: number,
  payload: Buffer,
): Outgoing {
  const envelope = { client: "casino", source, traceparent: newTraceparent() };
  return { subject, payload, headers: writeEnvelope(envelope, id, stage) };
}

/** Messages like the generator's, with the same bytes and headers. */
export function rawMessages(count: number, subject: string, source: string): readonly Outgoing[] {
  const place = { subject, source, stage: rawStage };
  return rawPayloads(count).map((payload, index) => messageOf(place, index + 1, payload));
}

/** How often an event is published on its way through the pipeline. */
const publishesPerEvent = 4;

/**
 * The broker's own limit, in acknowledged publishes per second: the pipeline's raw messages with their headers, 4,096
 * in flight, one subscription for all PubAcks, which are only counted. No client with one connection can be faster.
 *
 * It publishes as many messages as the events need end to end, so that noise of the machine has the same weight in both.
 */
export async function rawLimit({ nc }: Bench, { events, warmUp }: Options): Promise<number> {
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

const never = new AbortController().signal;

/** The same messages through the pipelined publisher, every PubAck checked and routed to its message. */
export async function publisherSpeed(nc: NatsConnection, count: number): Promise<number> {
  const subject = await freshQueue(nc, "BENCH");
  const messages = rawMessages(count, subject, "publisher");
  const publisher = new Publisher(nc, { window });
  const buffer = new IngestBuffer({ publisher, maxEvents: window });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let stored = 0;
  const started = performance.now();
  for (const message of messages) {
    if (!buffer.hasRoom) await buffer.room(never);
    buffer.send(message, (outcome) => {
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
async function libraryPublishSpeed(nc: NatsConnection, count: number): Promise<number> {
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

/** How fast a program can publish, by how it handles PubAcks. */
export const publishing: Measurement = {
  name: "publishing",
  title: "publishing, acknowledged messages per second, and their ratio to the broker's limit",
  async measure({ bench, options: { events }, limit }) {
    return [
      speedRow("the broker's limit: raw events, PubAcks only counted", limit, 1),
      speedRow("publisher: every PubAck checked and routed", await publisherSpeed(bench.nc, events), 1),
      speedRow("js.publish, 2,000 at once", await libraryPublishSpeed(bench.nc, Math.min(events, 50_000)), 1),
    ];
  },
};

export function perSecond(count: number, started: number): number {
  return count / ((performance.now() - started) / 1000);
}
