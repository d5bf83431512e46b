import type { NatsConnection } from "nats";
import { undefinedIfMissing } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { readNext } from "../jetstream/stored-message.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import type { Metrics } from "./metrics.ts";

interface Reader {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
}

/** How far consumers are behind. All processes that share a consumer report the same: take their maximum. */
export function addConsumers(metrics: Metrics, nc: NatsConnection, readers: readonly Reader[]): void {
  const look = sharedLook(() => Promise.all(readers.map((reader) => lagOf(nc, reader))));
  const of = (figure: "pending" | "unacknowledged" | "seconds") => async () =>
    (await look())
      .filter((lag) => lag !== undefined)
      .map((lag) => ({ labels: { stream: lag.stream, consumer: lag.name }, value: lag[figure] }));
  metrics.gauge("croupier_consumer_pending_messages", "Messages not delivered yet.", of("pending"));
  metrics.gauge(
    "croupier_consumer_unacknowledged_messages",
    "Messages delivered but not acknowledged yet.",
    of("unacknowledged"),
  );
  metrics.gauge(
    "croupier_consumer_lag_seconds",
    "Age of the oldest message that is not acknowledged; 0 if there is none.",
    of("seconds"),
  );
}

/** How full streams are; missing streams are left out. */
export function addStreams(
  metrics: Metrics,
  nc: NatsConnection,
  streams: readonly { readonly name: string }[],
): void {
  const look = sharedLook(() =>
    Promise.all(streams.map(({ name }) => stateOf(nc, name).catch(undefinedIfMissing))),
  );
  const of = (figure: "messages" | "bytes" | "maxBytes" | "maxMessages") => async () =>
    (await look())
      .filter((state) => state !== undefined)
      .map((state) => ({ labels: { stream: state.stream }, value: state[figure] }));
  metrics.gauge("croupier_stream_messages", "Messages that a stream holds.", of("messages"));
  metrics.gauge("croupier_stream_bytes", "Bytes that a stream holds.", of("bytes"));
  metrics.gauge("croupier_stream_max_bytes", "Bytes that a stream may hold.", of("maxBytes"));
  metrics.gauge("croupier_stream_max_messages", "Messages that a stream may hold.", async () =>
    (await of("maxMessages")()).filter(({ value }) => value > 0),
  );
}

interface Lag extends Reader {
  readonly pending: number;
  readonly unacknowledged: number;
  readonly seconds: number;
}

/** @returns undefined if there is no such consumer */
async function lagOf(nc: NatsConnection, reader: Reader): Promise<Lag | undefined> {
  const { stream, name, filter } = reader;
  const state = await consumerOf(nc, stream, name).catch(undefinedIfMissing);
  if (state === undefined) return undefined;
  const { pending, unacknowledged, ackFloor } = state;
  const isIdle = pending + unacknowledged === 0;
  const oldest = isIdle ? undefined : await readNext(nc, stream, ackFloor + 1, filter);
  const seconds = oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.storedAt) / 1_000;
  return { ...reader, pending, unacknowledged, seconds };
}

/** Shares one request among all metrics of a scrape. */
function sharedLook<T>(look: () => Promise<T>, ms = 500): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = performance.now();
    if (last === undefined || now - last.at > ms) last = { at: now, answer: look() };
    return last.answer;
  };
}
