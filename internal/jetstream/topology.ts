import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "nats";
import type { Config } from "../config.ts";
import { explain, hasCode, nameInUse, noRoom, subjectsTaken } from "./api-error.ts";
import { deadStream, finalStage, ledgerStream, rawStage, stageFilter, stageStream } from "./subjects.ts";

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

/** How long a stream remembers message ids, where its own age allows it. The broker keeps none longer than messages. */
export const duplicateWindowMs = { queue: 2 * minute, events: 10 * minute } as const;

/**
 * Raw messages stay this far below the server's default max_payload of 1 MiB, because a dead letter carries the
 * same bytes under more headers.
 */
export const maxRawBytes = 960 * 1024;

/**
 * A nats-server before 2.10.5 lets a message that just fits into a full queue push out the oldest ones (nats-server
 * issue 4771). There the number of messages is limited too, so low that ordinary events meet that limit first, at which
 * it refuses cleanly.
 */
const bytesPerMessageOnOldServers = 1024;

/** The ledger gets this part of a queue's size: room for more than a million dropped duplicates by default. */
const ledgerShare = 1 / 8;

/**
 * The streams of the given stages, those of the dead letters and of the ledger, for a server of this version. A mailbox of its own
 * for each stage: on one shared stream a full queue would refuse the very forwards that empty it.
 */
export function streamConfigs(
  stages: readonly string[],
  limits: StreamLimits,
  serverVersion: string,
): readonly StreamSettings[] {
  const common = {
    storage: StorageType.File,
    num_replicas: limits.NATS_REPLICAS,
    // The broker's defaults, said so that they are set right again where somebody changed them.
    max_msgs_per_subject: -1,
    no_ack: false,
  };
  const queue = (stage: string): StreamSettings => ({
    ...common,
    name: stageStream(stage),
    subjects: [stageFilter(stage)],
    retention: RetentionPolicy.Workqueue,
    // A full queue refuses its producers, loudly, instead of dropping what it accepted.
    discard: DiscardPolicy.New,
    max_bytes: limits.QUEUE_MAX_BYTES,
    max_msgs: isOlderThan(serverVersion, [2, 10, 5])
      ? Math.floor(limits.QUEUE_MAX_BYTES / bytesPerMessageOnOldServers)
      : -1,
    // However long an outage lasts, what waits here stays.
    max_age: 0,
    duplicate_window: nanos(duplicateWindowMs.queue),
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
    duplicate_window: nanos(Math.min(duplicateWindowMs.events, limits.EVENTS_MAX_AGE)),
  };
  const dead: StreamSettings = {
    ...common,
    name: deadStream,
    subjects: ["casino.dead.>"],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.DEAD_MAX_AGE),
    max_bytes: limits.QUEUE_MAX_BYTES,
    duplicate_window: nanos(Math.min(duplicateWindowMs.queue, limits.DEAD_MAX_AGE)),
  };
  const ledger: StreamSettings = {
    ...common,
    name: ledgerStream,
    subjects: ["casino.ledger.>"],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    // As long as there is anything to be proved with it.
    max_age: nanos(Math.max(limits.EVENTS_MAX_AGE, limits.DEAD_MAX_AGE)),
    max_bytes: Math.floor(limits.QUEUE_MAX_BYTES * ledgerShare),
    duplicate_window: nanos(Math.min(duplicateWindowMs.queue, limits.DEAD_MAX_AGE)),
  };
  return [...stages.map((stage) => (stage === finalStage ? events : queue(stage))), dead, ledger];
}

/** What is asked of a stream. */
export type StreamSettings = Partial<StreamConfig> & Pick<StreamConfig, "name">;

/**
 * Creates the streams of these stages, and those of dead letters and ledger, where they are missing; whoever comes first, any
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
      if (!(await isThere(jsm, config.name, err)))
        throw explain(
          err,
          `stream ${config.name} cannot be created`,
          hasCode(err, subjectsTaken) ? await leaveToIt(jsm, config) : undefined,
        );
      if (apply) await applyLimits(jsm, config);
    }
  }
}

/**
 * Whether a stream could not be created because it exists. The server looks at the room that is left first: where that is
 * less than the stream itself takes, it refuses, though nothing would have to be made.
 */
async function isThere(jsm: JetStreamManager, name: string, err: unknown): Promise<boolean> {
  if (hasCode(err, nameInUse)) return true;
  return hasCode(err, noRoom) && (await jsm.streams.info(name).catch(() => undefined)) !== undefined;
}

async function applyLimits(jsm: JetStreamManager, config: StreamSettings): Promise<void> {
  // Where a stream lies cannot be changed; one in memory works, and is warned of.
  const { storage: _, ...changeable } = config;
  try {
    await jsm.streams.update(config.name, changeable);
  } catch (err) {
    throw explain(err, `stream ${config.name} exists and cannot take the limits of this environment`);
  }
}

function isOlderThan(version: string, [major, minor, patch]: readonly [number, number, number]): boolean {
  const [a = 0, b = 0, c = 0] = version.split(/[.-]/).map(Number);
  return (a - major || b - minor || c - patch) < 0;
}

/** Names the streams that take the subjects of another one. */
async function leaveToIt(jsm: JetStreamManager, { subjects = [] }: StreamSettings): Promise<string> {
  const takers = new Set<string>();
  for (const subject of subjects) for await (const name of jsm.streams.names(subject)) takers.add(name);
  return `narrow the subjects of ${[...takers].join(", ")} so that ${subjects.join(", ")} is left to it`;
}
