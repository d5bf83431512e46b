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
 * How long streams remember message ids, where their own age allows it: the broker keeps none longer than messages. At the
 * door as short as the server takes, because there the ids are what producers choose: one client's could make the events
 * of another vanish. How long CASINO_EVENTS remembers, DUPLICATE_WINDOW says.
 */
export const duplicateWindowMs = { raw: 100, others: 2 * minute } as const;

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

/**
 * Whether several events may travel in one message: not with such a server, where large messages would meet the limit of bytes
 * first, and push out what waits.
 */
export function mayBundle(bundles: "on" | "off", serverVersion = ""): boolean {
  return bundles === "on" && !losesWhenFull(serverVersion);
}

const losesWhenFull = (serverVersion: string): boolean => isOlderThan(serverVersion, [2, 10, 5]);

/** What `nats stream ls` says of the queues that are of no step's stage alone. */
const queueDescriptions: Readonly<Record<string, string>> = {
  [rawStage]: "events as producers sent them, which wait for the first step",
  [apartStage]: "events that left their message: to be tried again, or under suspicion, each alone",
  [retryStage]: "deliveries to webhooks, which wait for their next attempt",
};

/** The ledger and the record of copies each get this part of a queue's size. */
const ledgerShare = 1 / 8;

/**
 * The streams of the given stages, and those of dead letters, ledger and copies, for a server of this version. A mailbox of its own
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
    description: queueDescriptions[stage] ?? `events of stage ${stage}, which wait for the next step`,
    subjects: [stageFilter(stage)],
    retention: RetentionPolicy.Workqueue,
    // A full queue refuses its producers, loudly, instead of dropping what it accepted.
    discard: DiscardPolicy.New,
    max_bytes: limits.QUEUE_MAX_BYTES,
    max_msgs: losesWhenFull(serverVersion)
      ? Math.floor(limits.QUEUE_MAX_BYTES / bytesPerMessageOnOldServers)
      : -1,
    // However long an outage lasts, what waits here stays.
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
    // Where the identity of events is enforced. A limits stream remembers message ids across a broker restart, which a
    // work queue does not: this window also catches an event redelivered after an outage.
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
    // As long as there is anything to be proved with it.
    max_age: nanos(Math.max(limits.EVENTS_MAX_AGE, limits.DEAD_MAX_AGE)),
    max_bytes: Math.floor(limits.QUEUE_MAX_BYTES * ledgerShare),
    duplicate_window: nanos(Math.min(duplicateWindowMs.others, limits.DEAD_MAX_AGE)),
  });
  return [
    ...stages.map((stage) => (stage === finalStage ? events : queue(stage))),
    dead,
    record(ledgerStream, "casino.ledger.>", "what became of dead letters"),
    // Apart from the ledger: producers may send again as much as they like, and push nothing else out.
    record(copiesStream, "casino.copies.*", "which accepted events ended as copies of others"),
  ];
}

/** What is asked of a stream. */
export type StreamSettings = Partial<StreamConfig> & Pick<StreamConfig, "name">;

/** A stream as it is after it was made, or found. */
export interface Made {
  /** When, by the node that answers: those of a cluster of nats-server 2.10 say different times. */
  readonly created: string;
  /** Nothing was ever stored in it. */
  readonly isUnused: boolean;
}

/**
 * Creates the streams of these stages, and those of dead letters, ledger and copies, where they are missing; whoever comes first, any
 * number of processes at once.
 * @param apply also brings existing streams to the given limits. One service does it (the enricher, whose mailboxes
 *   they are), so that services with different environments do not undo each other.
 * @returns what is known of each stream, by its name; those are left out that exist with another configuration
 * @throws Error with one sentence when JetStream is off or a stream of that name exists with another retention.
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
 * Whether a stream could not be created because it exists. The server looks at the room that is left first: where that is
 * less than the stream itself takes, it refuses, though nothing would have to be made. And where two processes create one
 * stream at the same moment, the later one may hear that its subjects are taken: by that very stream.
 */
async function isThere(jsm: JetStreamManager, name: string, err: unknown): Promise<boolean> {
  if (hasCode(err, nameInUse)) return true;
  return (
    hasCode(err, [...noRoom, ...subjectsTaken]) &&
    (await jsm.streams.info(name).catch(() => undefined)) !== undefined
  );
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
