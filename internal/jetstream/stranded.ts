import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import type { Log } from "../log.ts";
import type { Durable } from "./topology.ts";

/**
 * Watches a work queue for messages that its consumer counts as acknowledged but the stream still holds. A nats-server
 * 2.9 that was killed comes back like that: it remembers the acknowledgements, but not that it removed the messages. Nobody
 * would ever get them again, no lag shows them, and they fill the queue. The consumer is deleted, so that its mailbox
 * makes it anew and every message left is delivered; those handled before are dropped as duplicates downstream.
 * @returns a function that ends the watch
 */
export function watchForStranded(
  nc: NatsConnection,
  durable: Durable,
  log: Log,
  everyMs = 10_000,
): () => void {
  let suspect: number | undefined;
  const check = async (): Promise<void> => {
    const jsm = await jetstreamManager(nc, { checkAPI: false });
    const [{ state }, consumer] = await Promise.all([
      jsm.streams.info(durable.stream),
      jsm.consumers.info(durable.stream, durable.name),
    ]);
    const stranded = state.messages > 0 && state.first_seq <= consumer.ack_floor.stream_seq;
    // The two answers are not of the same instant: only what stays is stranded.
    if (stranded && suspect === state.first_seq) {
      log.warn(
        { stream: durable.stream, firstSeq: state.first_seq, ackFloor: consumer.ack_floor.stream_seq },
        "the broker kept acknowledged messages through a restart, delivering them again",
      );
      await jsm.consumers.delete(durable.stream, durable.name);
      suspect = undefined;
    } else suspect = stranded ? state.first_seq : undefined;
  };
  const timer = setInterval(
    () => void check().catch((err: unknown) => log.debug({ err }, "cannot look for stranded messages now")),
    everyMs,
  ).unref();
  return () => clearInterval(timer);
}
