import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest } from "./api.ts";
import { type StreamState, stateOf } from "./stream-state.ts";

/** A durable consumer at one moment. */
export interface ConsumerState {
  /** Messages not delivered yet. */
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
    const info = await askBroker(nc, `CONSUMER.INFO.${stream}.${consumer}`);
    return {
      pending: Number(info.num_pending),
      unacknowledged: Number(info.num_ack_pending),
      ackFloor: sequence(info.ack_floor),
      delivered: sequence(info.delivered),
    };
  } catch (err) {
    if (err instanceof RefusedRequest && err.isConsumerMissing) return undefined;
    throw err;
  }
}

const sequence = (place: unknown): number => (isObject(place) ? Number(place.stream_seq) : 0);

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
