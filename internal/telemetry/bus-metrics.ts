import type { NatsConnection } from "nats";
import { StreamMissing } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { readNext } from "../jetstream/stored-message.ts";
import { type StreamState, stateOf } from "../jetstream/stream-state.ts";
import type { Metrics } from "./metrics.ts";

interface Reader {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
}

/** How far consumers are behind. All processes that share a consumer report the same: take their maximum. */
export function addConsumers(metrics: Metrics, nc: NatsConnection, readers: readonly Reader[]): void {
  const look = sharedLook(() => Promise.all(readers.map((reader) => lagOf(nc, reader))));
  const of = (value: (lag: Lag) => number) => async () =>
    (await look()).flatMap((lag) =>
      lag === undefined ? [] : [{ labels: { stream: lag.stream, consumer: lag.name }, value: value(lag) }],
    );
  metrics.gauge(
    "croupier_consumer_pending_messages",
    "Messages not delivered yet.",
    of((lag) => lag.pending),
  );
  metrics.gauge(
    "croupier_consumer_unacknowledged_messages",
    "Messages delivered but not acknowledged yet.",
    of((lag) => lag.unacknowledged),
  );
  metrics.gauge(
    "croupier_consumer_lag_seconds",
    "Age of the oldest message that is not acknowledged; 0 if there is none.",
    of((lag) => lag.seconds),
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
  const of = (value: (state: StreamState) => number) => async () =>
    (await look()).flatMap((state) =>
      state === undefined ? [] : [{ labels: { stream: state.stream }, value: value(state) }],
    );
  metrics.gauge(
    "croupier_stream_messages",
    "Messages that a stream holds.",
    of((state) => state.messages),
  );
  metrics.gauge(
    "croupier_stream_bytes",
    "Bytes that a stream holds.",
    of((state) => state.bytes),
  );
  metrics.gauge(
    "croupier_stream_max_bytes",
    "Bytes that a stream may hold.",
    of((state) => state.maxBytes),
  );
  metrics.gauge("croupier_stream_max_messages", "Messages that a stream may hold.", async () =>
    (await look()).flatMap((state) =>
      state === undefined || state.maxMessages === 0
        ? []
        : [{ labels: { stream: state.stream }, value: state.maxMessages }],
    ),
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

function undefinedIfMissing(err: unknown): undefined {
  if (!(err instanceof StreamMissing)) throw err;
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
