import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { millis, type NatsConnection } from "nats";
import type { ReadyCheck } from "../health.ts";
import type { Durable } from "./durable.ts";

/** Ready while the broker answers. */
export function brokerAnswers(nc: NatsConnection): ReadyCheck {
  return async () => {
    await nc.rtt();
    return undefined;
  };
}

/**
 * Ready while the durable's lag stays within half of what its stream retains, by age and by size: beyond that it is on
 * the way to losing events to the stream's limits.
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
    const bytesBehind = state.messages === 0 ? 0 : (state.bytes / state.messages) * behind;
    if (config.max_bytes > 0 && bytesBehind > config.max_bytes / 2)
      return `${durable.name} is ${behind} messages behind, more than half of what ${durable.stream} has room for`;
    const age = await ageOf(
      jsm,
      durable.stream,
      Math.max(consumer.ack_floor.stream_seq + 1, state.first_seq),
    );
    if (config.max_age > 0 && age > millis(config.max_age) / 2)
      return `${durable.name} is ${Math.round(age / 1000)} s behind, more than half of what ${durable.stream} retains`;
    return undefined;
  };
}

/** Age in ms of a stored message; 0 when it is gone. */
async function ageOf(jsm: JetStreamManager, stream: string, seq: number): Promise<number> {
  const message = await jsm.streams.getMessage(stream, { seq });
  return message === null ? 0 : Date.now() - message.time.getTime();
}
