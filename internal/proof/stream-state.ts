import type { NatsConnection } from "nats";
import { askBroker, isObject } from "../jetstream/api.ts";

/** A stream at one moment. Times are ms since the epoch; 0 where there is none. */
export interface StreamState {
  readonly stream: string;
  readonly created: number;
  /** 0 = without limit, both. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly replicas: number;
  readonly messages: number;
  readonly bytes: number;
  /** Of an empty stream: one after the last. */
  readonly firstSeq: number;
  /** How many sequences between the first and the last are gone. */
  readonly gone: number;
  /** How many messages were ever stored in it. */
  readonly lastSeq: number;
  readonly lastAt: number;
  readonly firstAt: number;
}

/** Asks for a stream's state. @throws Unavailable, StreamMissing */
export async function stateOf(nc: NatsConnection, stream: string): Promise<StreamState> {
  const { created, config, state } = await askBroker(nc, `STREAM.INFO.${stream}`);
  const limits = isObject(config) ? config : {};
  const now = isObject(state) ? state : {};
  return {
    stream,
    created: time(created),
    maxAgeMs: count(limits.max_age) / 1e6,
    maxBytes: count(limits.max_bytes),
    replicas: count(limits.num_replicas),
    messages: count(now.messages),
    bytes: count(now.bytes),
    firstSeq: count(now.first_seq),
    gone: count(now.num_deleted),
    lastSeq: count(now.last_seq),
    firstAt: time(now.first_ts),
    lastAt: time(now.last_ts),
  };
}

/** The sequences of what lies in a stream; to be asked only where few between the first and the last are gone. @throws Unavailable */
export async function* sequencesIn(nc: NatsConnection, stream: string): AsyncGenerator<number> {
  const { state } = await askBroker(nc, `STREAM.INFO.${stream}`, { deleted_details: true });
  const { messages, first_seq, last_seq, deleted } = isObject(state) ? state : {};
  if (count(messages) === 0) return;
  const gone = new Set<unknown>(Array.isArray(deleted) ? deleted : []);
  for (let seq = count(first_seq); seq <= count(last_seq); seq++) if (!gone.has(seq)) yield seq;
}

/** Messages go of age while they are read, and clocks differ a little: what is nearly of age is not relied on. */
const ageMargin = 0.01;
const leastMarginMs = 5_000;
/** A stream this full lets go its oldest messages for its newest. */
const full = 0.9;
/** Of a full stream, the oldest part is not relied on: it may go while it is read. */
const fullMargin = 0.1;

/**
 * From which time on the stream must still have everything it stored, by its own limits: 0 when it never came to any. What
 * is missing after that time was deleted.
 */
export function completeSince(state: StreamState, now: number): number {
  const { created, maxAgeMs, maxBytes, bytes, firstSeq, firstAt, lastAt, lastSeq } = state;
  const byAge = maxAgeMs === 0 ? 0 : now - maxAgeMs + Math.max(leastMarginMs, maxAgeMs * ageMargin);
  const bySize = maxBytes > 0 && bytes >= maxBytes * full ? firstAt + (lastAt - firstAt) * fullMargin : 0;
  const since = Math.max(byAge, bySize);
  const hasAll = firstSeq <= 1 && (lastSeq === 0 || firstAt >= since);
  return hasAll || since <= created ? 0 : since;
}

/** Whoever comes first makes the streams one after the other; a cluster takes its time over each. */
const madeTogetherMs = 30_000;

/** Whether a stream was made long after the pipeline it belongs to, so that one of its name may have been deleted. */
export function isMadeAnew({ created }: StreamState, { created: began }: StreamState): boolean {
  return created > began + madeTogetherMs;
}

const count = (value: unknown): number => (typeof value === "number" && value > 0 ? value : 0);

/** The server writes the year 1 for "never". */
const time = (value: unknown): number => Math.max(0, Date.parse(String(value)) || 0);
