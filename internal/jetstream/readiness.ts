import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { millis, type NatsConnection } from "nats";
import type { ReadyCheck } from "../service/health.ts";
import type { Durable } from "./durable.ts";

/** Ready while the broker answers. */
export function brokerAnswers(nc: NatsConnection): ReadyCheck {
  return async () => {
    await nc.rtt();
    return undefined;
  };
}

/**
 * Ready while the durable's lag stays within half of what its stream retains, by age and by size. Beyond that it may
 * soon lose events to the stream's limits.
 */
export function lagWithinRetention(nc: NatsConnection, durable: Durable): ReadyCheck {
  return async () => {
    const jsm = await jetstreamManager(nc, { checkAPI: false });
    const [consumer, { config, state }] = await Promise.all([
      jsm.consumers.info(durable.stream, durable.name),
      jsm.streams.info(durable.stream),
    ]);
    const behind = consumer.num_pending + consumer.num_ack_pending;
    if (behind === 0) return undefined;
    const { stream, name } = durable;
    const oldest = Math.max(consumer.ack_floor.stream_seq + 1, state.first_seq);
    const ageMs = await ageOf(jsm, stream, oldest);
    // The size of the lag itself is unknown: assume messages of average size.
    const bytes = state.messages === 0 ? 0 : (state.bytes / state.messages) * behind;
    const maxAgeMs = config.max_age > 0 ? millis(config.max_age) : Number.POSITIVE_INFINITY;
    const maxBytes = config.max_bytes > 0 ? config.max_bytes : Number.POSITIVE_INFINITY;
    if (ageMs <= maxAgeMs / 2 && bytes <= maxBytes / 2) return undefined;
    const [far, most] =
      ageMs > maxAgeMs / 2
        ? [`the oldest of them ${seconds(ageMs)} old`, seconds(maxAgeMs)]
        : [`about ${Math.round(bytes)} bytes`, `${maxBytes} bytes`];
    return `${name} is ${behind} events behind, ${far}, and ${stream} drops its oldest beyond ${most}: find out what holds it up, start more of it, or raise EVENTS_MAX_AGE and EVENTS_MAX_BYTES`;
  };
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

/** Age in ms of a stored message; 0 when it is gone. */
async function ageOf(jsm: JetStreamManager, stream: string, seq: number): Promise<number> {
  const message = await jsm.streams.getMessage(stream, { seq });
  return message === null ? 0 : Date.now() - message.time.getTime();
}
