import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "nats";
import type { Config } from "../config.ts";
import { deadStream, finalStage, rawStage, stageFilter, stageStream } from "./subjects.ts";

/** The limits that the environment sets. */
export type StreamLimits = Config<
  "NATS_REPLICAS" | "EVENTS_MAX_AGE" | "EVENTS_MAX_BYTES" | "QUEUE_MAX_BYTES" | "DEAD_MAX_AGE"
>;

/** The variables behind `StreamLimits`, for a service that calls `ensureStreams`. */
export const streamVariables = [
  "NATS_REPLICAS",
  "EVENTS_MAX_AGE",
  "EVENTS_MAX_BYTES",
  "QUEUE_MAX_BYTES",
  "DEAD_MAX_AGE",
] as const;

const minute = 60_000;

/**
 * Raw messages stay this far below the server's default max_payload of 1 MiB, because a dead letter carries the
 * same bytes under more headers.
 */
export const maxRawBytes = 960 * 1024;

/**
 * How long a consumer's message may stay unsettled. The holder renews it while it works, so it only decides how soon
 * the messages of a killed process come again. It must stay well below the duplicate windows.
 */
export const ackWaitMs = 30_000;

/**
 * A nats-server before 2.10.5 lets a message that just fits into a full queue push out the oldest ones (nats-server
 * issue 4771). There the number of messages is limited too, so low that ordinary events meet that limit first, at which
 * it refuses cleanly.
 */
const bytesPerMessageOnOldServers = 1024;

/**
 * The streams of the given stages, and the one of the dead letters, for a server of this version. A mailbox of its own
 * for each stage: on one shared stream a full queue would refuse the very forwards that empty it.
 */
export function streamConfigs(
  stages: readonly string[],
  limits: StreamLimits,
  serverVersion: string,
): readonly StreamSettings[] {
  const common = { storage: StorageType.File, num_replicas: limits.NATS_REPLICAS };
  const queue = (stage: string): StreamSettings => ({
    ...common,
    name: stageStream(stage),
    subjects: [stageFilter(stage)],
    retention: RetentionPolicy.Workqueue,
    // A full queue refuses its producers, loudly, instead of dropping what it accepted.
    discard: DiscardPolicy.New,
    max_bytes: limits.QUEUE_MAX_BYTES,
    ...(isOlderThan(serverVersion, [2, 10, 5])
      ? { max_msgs: Math.floor(limits.QUEUE_MAX_BYTES / bytesPerMessageOnOldServers) }
      : {}),
    duplicate_window: nanos(2 * minute),
    ...(stage === rawStage ? { max_msg_size: maxRawBytes } : {}),
  });
  const events: StreamSettings = {
    ...common,
    name: stageStream(finalStage),
    subjects: [stageFilter(finalStage)],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.EVENTS_MAX_AGE),
    max_bytes: limits.EVENTS_MAX_BYTES,
    // A limits stream remembers message ids across a broker restart, which a work queue does not: this window is the
    // one that catches an event redelivered after an outage.
    duplicate_window: nanos(Math.min(10 * minute, limits.EVENTS_MAX_AGE)),
  };
  const dead: StreamSettings = {
    ...common,
    name: deadStream,
    subjects: ["casino.dead.>"],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.DEAD_MAX_AGE),
    max_bytes: limits.QUEUE_MAX_BYTES,
    duplicate_window: nanos(Math.min(2 * minute, limits.DEAD_MAX_AGE)),
  };
  return [...stages.map((stage) => (stage === finalStage ? events : queue(stage))), dead];
}

type StreamSettings = Partial<StreamConfig> & Pick<StreamConfig, "name">;

/** A durable consumer: the name of its stream and of itself, what it takes, and how much may be unsettled at once. */
export interface Durable {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
  /** Over all processes. Events that wait for rates count too, so that the others still pass. */
  readonly maxAckPending: number;
  /** Default `ackWaitMs`. */
  readonly ackWaitMs?: number;
}

/**
 * Creates the streams of these stages, and that of the dead letters, where they are missing; whoever comes first, any
 * number of processes at once.
 * @param apply also brings existing streams to the given limits. One service does it (the enricher, whose mailboxes
 *   they are), so that services with different environments do not undo each other.
 * @throws Error with one sentence when JetStream is off or a stream of that name exists with another retention.
 */
export async function ensureStreams(
  nc: NatsConnection,
  stages: readonly string[],
  limits: StreamLimits,
  apply = false,
): Promise<void> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  for (const config of streamConfigs(stages, limits, nc.info?.version ?? "")) {
    try {
      await jsm.streams.add(config);
    } catch (err) {
      if (!hasCode(err, nameInUse)) throw explain(err, `stream ${config.name} cannot be created`);
      if (apply) await applyLimits(jsm, config);
    }
  }
}

async function applyLimits(jsm: JetStreamManager, config: StreamSettings): Promise<void> {
  try {
    await jsm.streams.update(config.name, config);
  } catch (err) {
    throw explain(err, `stream ${config.name} exists and cannot take the limits of this environment`);
  }
}

/** Creates the durable consumer or brings it to its configuration; safe with any number of processes at once. */
export async function ensureDurable(nc: NatsConnection, durable: Durable): Promise<void> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const settings: ConsumerConfig = {
    durable_name: durable.name,
    filter_subject: durable.filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(durable.ackWaitMs ?? ackWaitMs),
    max_ack_pending: durable.maxAckPending,
    // At the server's own limit a message would only be stranded with an advisory: the runner decides instead.
    max_deliver: -1,
    replay_policy: ReplayPolicy.Instant,
  };
  try {
    await jsm.consumers.add(durable.stream, settings);
  } catch (err) {
    if (!hasCode(err, consumerExists)) throw explain(err, `consumer ${durable.name} cannot be created`);
    await jsm.consumers.update(durable.stream, durable.name, settings);
  }
}

function isOlderThan(version: string, [major, minor, patch]: readonly [number, number, number]): boolean {
  const [a = 0, b = 0, c = 0] = version.split(/[.-]/).map(Number);
  return (a - major || b - minor || c - patch) < 0;
}

/** Codes of the server's errors.json: stable numbers where the descriptions are not. */
const nameInUse = [10058];
const noRoom = [10047, 10028];
const consumerExists = [10013, 10105, 10148];

function hasCode(err: unknown, codes: readonly number[]): boolean {
  return err instanceof JetStreamApiError && codes.includes(err.code);
}

function explain(err: unknown, what: string): Error {
  const message = err instanceof Error ? err.message : String(err);
  const reason = hasCode(err, noRoom)
    ? `${message}: lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES or raise max_file_store of the server`
    : message;
  return new Error(`${what}: ${reason}`, { cause: err });
}
