import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest, StreamMissing } from "../jetstream/api.ts";
import { type StreamState, stateOf } from "../jetstream/stream-state.ts";
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
export type StreamFill = Pick<StreamState, "stream" | "messages" | "bytes" | "maxBytes">;

/** The dead letters of one step and client. */
export interface LetterCount {
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
    Promise.all([...mailboxes, deadStream].map((stream) => readFill(nc, stream))),
  ]);
  return { letters, durables: durables.flat(), streams: fills.flatMap((fill) => fill ?? []) };
}

async function readDurables(nc: NatsConnection, stream: string): Promise<readonly Queue[]> {
  const answer = await ifThere(askBroker(nc, `CONSUMER.LIST.${stream}`, { offset: 0 }));
  const listed = Array.isArray(answer?.consumers) ? answer.consumers.filter(isObject) : [];
  return listed.flatMap((consumer) => {
    const { name, config, ack_floor: floor } = consumer;
    // Temporary consumers, such as for a rebuild, are no mailboxes.
    if (typeof name !== "string" || !isObject(config) || config.durable_name === undefined) return [];
    return [
      {
        durable: name,
        stream,
        waiting: count(consumer.num_pending),
        unacked: count(consumer.num_ack_pending),
        redelivered: count(consumer.num_redelivered),
        ackFloor: isObject(floor) ? count(floor.stream_seq) : 0,
      },
    ];
  });
}

function readFill(nc: NatsConnection, stream: string): Promise<StreamFill | undefined> {
  return ifThere(stateOf(nc, stream));
}

async function readLetters(nc: NatsConnection): Promise<readonly LetterCount[]> {
  const request = { subjects_filter: "casino.dead.*.*" };
  const answer = await ifThere(askBroker(nc, `STREAM.INFO.${deadStream}`, request));
  const subjects = isObject(answer?.state) && isObject(answer.state.subjects) ? answer.state.subjects : {};
  return Object.entries(subjects).map(([subject, number]) => {
    const [, , step = "", client = ""] = subject.split(".");
    return { step, client, count: count(number) };
  });
}

/** Undefined if there is no such stream, or we may not read it. */
async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof StreamMissing || err instanceof RefusedRequest) return undefined;
    throw err;
  }
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);
