import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "nats";
import {
  apartStage,
  copiesStream,
  deadStream,
  finalStage,
  ledgerStream,
  rawStage,
  retryStage,
  stageFilter,
  stageStream,
} from "../messages/subjects.ts";
import type { Config } from "../service/config.ts";
import { explain, hasCode, nameInUse, noRoom, subjectsTaken } from "./api-error.ts";
import { isOlder, refusesWhenFull } from "./server-version.ts";

/** The limits that the environment sets. */
export type StreamLimits = Config<
  | "NATS_REPLICAS"
  | "EVENTS_MAX_AGE"
  | "EVENTS_MAX_BYTES"
  | "QUEUE_MAX_BYTES"
  | "DEAD_MAX_AGE"
  | "DUPLICATE_WINDOW"
>;

/** The variables behind `StreamLimits`, for a service that calls `ensureStreams`. */
export const streamVariables = [
  "NATS_REPLICAS",
  "EVENTS_MAX_AGE",
  "EVENTS_MAX_BYTES",
  "QUEUE_MAX_BYTES",
  "DEAD_MAX_AGE",
  "DUPLICATE_WINDOW",
] as const;

const minute = 60_000;

/**
 * How long streams remember message ids, where they keep messages that long. As short as the server allows at the
 * door: producers choose the ids there, and one client's could make another's events vanish. DUPLICATE_WINDOW sets it
 * for CASINO_EVENTS.
 */
export const duplicateWindowMs = { raw: 100, others: 2 * minute } as const;

/**
 * Raw messages stay this far below the server's default max_payload of 1 MiB, because a dead letter carries the same
 * bytes with more headers.
 */
export const maxRawBytes = 960 * 1024;

/**
 * In a nats-server before 2.10.5, a message that just fits into a full queue can push out the oldest ones
 * (nats-server issue 4771). There the number of messages is limited as well, so low that ordinary events meet that
 * limit first, at which the server refuses cleanly.
 */
const bytesPerMessageOnOldServers = 1024;

/**
 * Whether several events may travel in one message. Not with such an old server: large messages would reach the limit
 * of bytes first and push out what waits.
 */
export function mayBundle(bundles: "on" | "off", serverVersion = ""): boolean {
  return bundles === "on" && !losesWhenFull(serverVersion);
}

const losesWhenFull = (serverVersion: string): boolean => isOlder(serverVersion, refusesWhenFull);

/** Shown by `nats stream ls`, for queues that are not between two steps. */
const queueDescriptions: Readonly<Record<string, string>> = {
  [rawStage]: "events as producers sent them, which wait for the first step",
  [apartStage]: "events that left their message: to be tried again, or under suspicion, each alone",
  [retryStage]: "deliveries to webhooks, which wait for their next attempt",
};

/** Share of a queue's size that the ledger gets, and the record of copies too. */
const ledgerShare = 1 / 8;

/**
 * The streams of the given stages, and those of dead letters, ledger and copies, for a server of this version. Each
 * stage has its own: on a shared stream a full queue would refuse the very forwards that empty it.
 */
export function streamConfigs(
  stages: readonly string[],
  limits: StreamLimits,
  serverVersion: string,
): readonly StreamSettings[] {
  const common = {
    storage: StorageType.File,
    num_replicas: limits.NATS_REPLICAS,
    // The broker's defaults, set explicitly so that an update repairs what somebody changed.
    max_msgs_per_subject: -1,
    no_ack: false,
  };
  const queue = (stage: string): StreamSettings => ({
    ...common,
    name: stageStream(stage),
    description: queueDescriptions[stage] ?? `events of stage ${stage}, which wait for the next step`,
    subjects: [stageFilter(stage)],
    retention: RetentionPolicy.Workqueue,
    // A full queue refuses its producers instead of dropping what it accepted.
    discard: DiscardPolicy.New,
    max_bytes: limits.QUEUE_MAX_BYTES,
    max_msgs: losesWhenFull(serverVersion)
      ? Math.floor(limits.QUEUE_MAX_BYTES / bytesPerMessageOnOldServers)
      : -1,
    // What waits here stays, however long an outage lasts.
    max_age: 0,
    duplicate_window: nanos(stage === rawStage ? duplicateWindowMs.raw : duplicateWindowMs.others),
    ...(stage === rawStage ? { max_msg_size: maxRawBytes } : {}),
  });
  const events: StreamSettings = {
    ...common,
    name: stageStream(finalStage),
    description: "final events, the log that everything behind the steps reads",
    subjects: [stageFilter(finalStage)],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.EVENTS_MAX_AGE),
    max_bytes: limits.EVENTS_MAX_BYTES,
    // The identity of events is enforced here. Unlike a work queue, a limits stream remembers message ids across a
    // broker restart, so this window also catches an event redelivered after an outage.
    duplicate_window: nanos(Math.min(limits.DUPLICATE_WINDOW, limits.EVENTS_MAX_AGE)),
  };
  const dead: StreamSettings = {
    ...common,
    name: deadStream,
    description: "dead letters: what can never succeed, with its reason",
    subjects: ["casino.dead.>"],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.DEAD_MAX_AGE),
    max_bytes: limits.QUEUE_MAX_BYTES,
    duplicate_window: nanos(Math.min(duplicateWindowMs.others, limits.DEAD_MAX_AGE)),
  };
  const record = (name: string, subject: string, description: string): StreamSettings => ({
    ...common,
    name,
    description,
    subjects: [subject],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    // As long as anything can be proved with it.
    max_age: nanos(Math.max(limits.EVENTS_MAX_AGE, limits.DEAD_MAX_AGE)),
    max_bytes: Math.floor(limits.QUEUE_MAX_BYTES * ledgerShare),
    duplicate_window: nanos(Math.min(duplicateWindowMs.others, limits.DEAD_MAX_AGE)),
  });
  return [
    ...stages.map((stage) => (stage === finalStage ? events : queue(stage))),
    dead,
    record(ledgerStream, "casino.ledger.>", "what became of dead letters"),
    // Separate from the ledger: producers may resend as much as they like without pushing out ledger records.
    record(copiesStream, "casino.copies.*", "which accepted events ended as copies of others"),
  ];
}

/** A stream's wanted configuration. */
export type StreamSettings = Partial<StreamConfig> & Pick<StreamConfig, "name">;

/** A stream as found or just created. */
export interface Made {
  /** As the answering node reports it: nodes of a 2.10 cluster report different times. */
  readonly created: string;
  /** It never stored a message. */
  readonly isUnused: boolean;
}

/**
 * Creates the streams of these stages, and those of dead letters, ledger and copies, where they are missing. Any
 * number of processes may call it at once.
 * @param apply also updates existing streams to the given limits. Only the enricher does, which owns the mailboxes,
 * so that services with different environments do not undo each other
 * @returns what is known of each stream, by name; streams that exist with another configuration are left out
 * @throws Error with one sentence when JetStream is off or a stream of that name exists with another retention
 */
export async function ensureStreams(
  nc: NatsConnection,
  stages: readonly string[],
  limits: StreamLimits,
  apply = false,
): Promise<ReadonlyMap<string, Made>> {
  const made = new Map<string, Made>();
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  for (const config of streamConfigs(stages, limits, nc.info?.version ?? "")) {
    try {
      const { created, state } = await jsm.streams.add(config);
      made.set(config.name, { created, isUnused: state.last_seq === 0 });
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
  return made;
}

/**
 * Whether creating a stream failed because it exists. The server checks the space first: where less is left than the
 * stream's limit, it refuses although nothing has to be created. When two processes create a stream at once, the
 * later one may hear that the stream's subjects are taken.
 */
async function isThere(jsm: JetStreamManager, name: string, err: unknown): Promise<boolean> {
  if (hasCode(err, nameInUse)) return true;
  return (
    hasCode(err, [...noRoom, ...subjectsTaken]) &&
    (await jsm.streams.info(name).catch(() => undefined)) !== undefined
  );
}

async function applyLimits(jsm: JetStreamManager, config: StreamSettings): Promise<void> {
  // The storage of a stream cannot be changed; a stream in memory works and causes a warning.
  const { storage: _, ...changeable } = config;
  try {
    await jsm.streams.update(config.name, changeable);
  } catch (err) {
    throw explain(err, `stream ${config.name} exists and cannot take the limits of this environment`);
  }
}

/** Advises to narrow the streams that take another stream's subjects. */
async function leaveToIt(jsm: JetStreamManager, { subjects = [] }: StreamSettings): Promise<string> {
  const takers = new Set<string>();
  for (const subject of subjects) for await (const name of jsm.streams.names(subject)) takers.add(name);
  return `narrow the subjects of ${[...takers].join(", ")} so that ${subjects.join(", ")} is left to it`;
}
