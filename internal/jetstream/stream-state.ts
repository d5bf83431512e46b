import type { NatsConnection } from "nats";
import { askBroker } from "./api.ts";

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
  const { created, config, state, cluster } = await askBroker(nc, stream, (jsm) => jsm.streams.info(stream));
  return {
    stream,
    // A lone server of 2.10 or newer names itself as leader; only a cluster has a name.
    created: cluster?.name === undefined ? time(created) : 0,
    maxAgeMs: config.max_age / 1e6,
    maxBytes: Math.max(0, config.max_bytes),
    maxMessages: Math.max(0, config.max_msgs),
    windowMs: (config.duplicate_window ?? 0) / 1e6,
    replicas: config.num_replicas,
    messages: state.messages,
    bytes: state.bytes,
    firstSeq: state.first_seq,
    // Absent while none is.
    gone: state.num_deleted ?? 0,
    lastSeq: state.last_seq,
    firstAt: time(state.first_ts),
    lastAt: time(state.last_ts),
  };
}

/**
 * The sequences that a stream holds. Use it only where few between the first and the last are gone. @throws
 * Unavailable
 */
export async function* sequencesIn(nc: NatsConnection, stream: string): AsyncGenerator<number> {
  const { state } = await askBroker(nc, stream, (jsm) => jsm.streams.info(stream, { deleted_details: true }));
  if (state.messages === 0) return;
  const gone = new Set(state.deleted);
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) if (!gone.has(seq)) yield seq;
}

/** How many messages a stream holds of each subject that matches. @throws Unavailable, StreamMissing */
export async function countBySubject(
  nc: NatsConnection,
  stream: string,
  filter: string,
): Promise<ReadonlyMap<string, number>> {
  const { state } = await askBroker(nc, stream, (jsm) =>
    jsm.streams.info(stream, { subjects_filter: filter }),
  );
  return new Map(Object.entries(state.subjects ?? {}));
}

/** The server writes the year 1 for "never". */
const time = (text: string): number => Math.max(0, Date.parse(text) || 0);
