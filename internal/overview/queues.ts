import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest, StreamMissing } from "../jetstream/api.ts";
import { type StreamState, stateOf } from "../jetstream/stream-state.ts";
import { apartStream, deadStream, finalStage, retryStream, stageStream } from "../messages/subjects.ts";

/** A durable consumer as its stream sees it; all counts are of messages, of which each may carry several events. */
export interface Queue {
  readonly durable: string;
  readonly stream: string;
  /** Not delivered yet. */
  readonly waiting: number;
  /** Delivered, not acknowledged yet. */
  readonly unacked: number;
  /** Of those, how many were delivered more than once. */
  readonly redelivered: number;
  /** Up to this sequence everything is acknowledged. */
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

/** What JetStream knows of the pipeline at one moment. */
export interface Queues {
  readonly durables: readonly Queue[];
  readonly streams: readonly StreamFill[];
  readonly letters: readonly LetterCount[];
}

/**
 * Asks JetStream for everything at once, two small requests a stream. Streams that nobody has made yet are left out.
 * @param stages of the pipeline, the final one left out
 * @throws Unavailable when NATS is away
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
    // Those that readers make for a while, as for a rebuild, are nobody's mailbox.
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

/** Undefined when there is no such stream, or nobody may look at it. */
async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof StreamMissing || err instanceof RefusedRequest) return undefined;
    throw err;
  }
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);
