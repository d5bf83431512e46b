import type { NatsConnection } from "nats";
import type { ReadyCheck } from "../service/health.ts";
import { lagOf } from "./consumer-state.ts";
import type { Durable } from "./durable.ts";
import { readStored } from "./stored-message.ts";

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
  const { stream: log, name } = durable;
  return async () => {
    const lag = await lagOf(nc, log, name);
    if (lag === undefined) return `consumer ${name} of ${log} is missing`;
    const { messages, bytes, consumer, stream } = lag;
    if (messages === 0) return undefined;
    const oldest = await readStored(nc, log, Math.max(consumer.ackFloor + 1, stream.firstSeq));
    const ageMs = oldest === undefined ? 0 : Date.now() - oldest.storedAt;
    const isOld = stream.maxAgeMs > 0 && ageMs > stream.maxAgeMs / 2;
    const isLarge = stream.maxBytes > 0 && bytes > stream.maxBytes / 2;
    if (!isOld && !isLarge) return undefined;
    const [far, most] = isOld
      ? [`the oldest of them ${seconds(ageMs)} old`, seconds(stream.maxAgeMs)]
      : [`about ${bytes} bytes`, `${stream.maxBytes} bytes`];
    return `${name} is ${messages} events behind, ${far}, and ${log} drops its oldest beyond ${most}: find out what holds it up, start more of it, or raise EVENTS_MAX_AGE and EVENTS_MAX_BYTES`;
  };
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;
