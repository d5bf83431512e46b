import type { ConsumerInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { askBroker } from "./api.ts";
import { consumerNotFound, hasCode } from "./api-error.ts";
import { type StreamState, stateOf } from "./stream-state.ts";

/** A durable consumer at one moment. */
export interface ConsumerState {
  readonly pending: number;
  /** Messages delivered but not acknowledged yet. */
  readonly unacknowledged: number;
  /** Every message up to this sequence of the stream is acknowledged. */
  readonly ackFloor: number;
  /** The last sequence of the stream that was delivered. */
  readonly delivered: number;
}

/** Reads a consumer's state; undefined when it does not exist. @throws Unavailable, StreamMissing */
export async function consumerOf(
  nc: NatsConnection,
  stream: string,
  consumer: string,
): Promise<ConsumerState | undefined> {
  try {
    const info = await askBroker(nc, stream, (jsm) => jsm.consumers.info(stream, consumer));
    return {
      pending: info.num_pending,
      unacknowledged: info.num_ack_pending,
      ackFloor: info.ack_floor.stream_seq,
      delivered: info.delivered.stream_seq,
    };
  } catch (err) {
    if (hasCode(err, consumerNotFound)) return undefined;
    throw err;
  }
}

/** All consumers of a stream. @throws Unavailable, StreamMissing */
export function consumersOf(nc: NatsConnection, stream: string): Promise<readonly ConsumerInfo[]> {
  return askBroker(nc, stream, async (jsm) => {
    const found: ConsumerInfo[] = [];
    for await (const consumer of jsm.consumers.list(stream)) found.push(consumer);
    return found;
  });
}

/** How far a durable consumer is behind in its stream. */
export interface Lag {
  readonly messages: number;
  /** An estimate: as many messages of average size. */
  readonly bytes: number;
  readonly consumer: ConsumerState;
  readonly stream: StreamState;
}

/** Reads the lag; undefined when nobody has made the consumer. @throws Unavailable, StreamMissing */
export async function lagOf(nc: NatsConnection, name: string, reader: string): Promise<Lag | undefined> {
  const [stream, consumer] = await Promise.all([stateOf(nc, name), consumerOf(nc, name, reader)]);
  if (consumer === undefined) return undefined;
  const messages = consumer.pending + consumer.unacknowledged;
  const bytes = stream.messages === 0 ? 0 : Math.round((stream.bytes / stream.messages) * messages);
  return { messages, bytes, consumer, stream };
}
