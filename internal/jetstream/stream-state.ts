import type { NatsConnection } from "nats";
import { askBroker, isObject } from "./api.ts";

/** A stream at one moment. Times are ms since the epoch; 0 where there is none. */
export interface StreamState {
  readonly stream: string;
  /**
   * 0 in a cluster, where each node of nats-server 2.10 reports another time, and changes it after a restart. Use the
   * times of messages there: all nodes agree on them.
   */
  readonly created: number;
  /** 0 = unlimited, all three. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly maxMessages: number;
  /** How long it remembers message ids. */
  readonly windowMs: number;
  readonly replicas: number;
  readonly messages: number;
  readonly bytes: number;
  /** Of an empty stream: one after the last. */
  readonly firstSeq: number;
  /** How many sequences between the first and the last are gone. */
  readonly gone: number;
  /** How many messages it has ever stored. */
  readonly lastSeq: number;
  readonly lastAt: number;
  readonly firstAt: number;
}

/** Reads a stream's state. @throws Unavailable, StreamMissing */
export async function stateOf(nc: NatsConnection, stream: string): Promise<StreamState> {
  const { created, config, state, cluster } = await askBroker(nc, `STREAM.INFO.${stream}`);
  const limits = isObject(config) ? config : {};
  const now = isObject(state) ? state : {};
  return {
    stream,
    // A lone server of 2.10 or newer names itself as leader; only a cluster has a name.
    created: isObject(cluster) && cluster.name !== undefined ? 0 : time(created),
    maxAgeMs: count(limits.max_age) / 1e6,
    maxBytes: count(limits.max_bytes),
    maxMessages: count(limits.max_msgs),
    windowMs: count(limits.duplicate_window) / 1e6,
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

/**
 * The sequences that a stream holds. Use it only where few between the first and the last are gone. @throws
 * Unavailable
 */
export async function* sequencesIn(nc: NatsConnection, stream: string): AsyncGenerator<number> {
  const { state } = await askBroker(nc, `STREAM.INFO.${stream}`, { deleted_details: true });
  const { messages, first_seq, last_seq, deleted } = isObject(state) ? state : {};
  if (count(messages) === 0) return;
  const gone = new Set<unknown>(Array.isArray(deleted) ? deleted : []);
  for (let seq = count(first_seq); seq <= count(last_seq); seq++) if (!gone.has(seq)) yield seq;
}

const count = (value: unknown): number => (typeof value === "number" && value > 0 ? value : 0);

/** The server writes the year 1 for "never". */
const time = (value: unknown): number => Math.max(0, Date.parse(String(value)) || 0);
