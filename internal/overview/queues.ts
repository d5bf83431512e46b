import { JetStreamApiError } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { StreamMissing } from "../jetstream/api.ts";
import { consumersOf } from "../jetstream/consumer-state.ts";
import { countBySubject, type StreamState, stateOf } from "../jetstream/stream-state.ts";
import { apartStream, deadStream, finalStage, retryStream, stageStream } from "../messages/subjects.ts";

/** A durable consumer's state. All counts are messages, each of which may carry several events. */
export interface Queue {
  readonly durable: string;
  readonly stream: string;
  /** Not delivered yet. */
  readonly waiting: number;
  /** Delivered, not acknowledged yet. */
  readonly unacked: number;
  /** Of those, how many were delivered more than once. */
  readonly redelivered: number;
  /** Everything up to this sequence is acknowledged. */
  readonly ackFloor: number;
}

/** How full a stream is. */
type StreamFill = Pick<StreamState, "stream" | "messages" | "bytes" | "maxBytes">;

/** The dead letters of one step and client. */
interface LetterCount {
  readonly step: string;
  readonly client: string;
  readonly count: number;
}

/** JetStream's data about the pipeline at one moment. */
export interface Queues {
  readonly durables: readonly Queue[];
  readonly streams: readonly StreamFill[];
  readonly letters: readonly LetterCount[];
}

/**
 * Requests everything from JetStream at once, with two small requests per stream. Missing streams are left out.
 * @param stages of the pipeline, without the final one
 * @throws Unavailable while NATS is away
 */
export async function readQueues(nc: NatsConnection, stages: readonly string[]): Promise<Queues> {
  const mailboxes = [...stages.map(stageStream), apartStream, stageStream(finalStage), retryStream];
  const [letters, durables, fills] = await Promise.all([
    readLetters(nc),
    Promise.all(mailboxes.map((stream) => readDurables(nc, stream))),
    Promise.all([...mailboxes, deadStream].map((stream) => ifThere(stateOf(nc, stream)))),
  ]);
  return { letters, durables: durables.flat(), streams: fills.flatMap((fill) => fill ?? []) };
}

async function readDurables(nc: NatsConnection, stream: string): Promise<readonly Queue[]> {
  const consumers = (await ifThere(consumersOf(nc, stream))) ?? [];
  // Temporary consumers, such as for a rebuild, are no mailboxes.
  const durables = consumers.filter(({ config }) => config.durable_name !== undefined);
  return durables.map(({ name, num_pending, num_ack_pending, num_redelivered, ack_floor }) => ({
    durable: name,
    stream,
    waiting: num_pending,
    unacked: num_ack_pending,
    redelivered: num_redelivered,
    ackFloor: ack_floor.stream_seq,
  }));
}

async function readLetters(nc: NatsConnection): Promise<readonly LetterCount[]> {
  const counts = await ifThere(countBySubject(nc, deadStream, "casino.dead.*.*"));
  return [...(counts ?? [])].map(([subject, count]) => {
    const [, , step = "", client = ""] = subject.split(".");
    return { step, client, count };
  });
}

/** Undefined if there is no such stream, or we may not read it. */
async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof StreamMissing || err instanceof JetStreamApiError) return undefined;
    throw err;
  }
}
