import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest } from "./api.ts";

/** A durable consumer at one moment. */
export interface ConsumerState {
  /** Messages it has not delivered yet. */
  readonly pending: number;
  /** Messages it has delivered that nobody has acknowledged yet. */
  readonly unacknowledged: number;
  /** Everything up to this sequence of the stream is acknowledged. */
  readonly ackFloor: number;
  /** The last sequence of the stream that it delivered. */
  readonly delivered: number;
}

/** Asks for a consumer's state; undefined when nobody has made it. @throws Unavailable, StreamMissing */
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
