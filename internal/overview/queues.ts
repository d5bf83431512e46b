import type { NatsConnection } from "nats";
import { askBroker, isObject, RefusedRequest, StreamMissing } from "../jetstream/api.ts";
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
export interface StreamFill {
  readonly stream: string;
  readonly messages: number;
  readonly bytes: number;
  /** -1: without a limit. */
  readonly maxBytes: number;
}

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
  const [letters, ...perStream] = await Promise.all([
    readLetters(nc),
    ...mailboxes.map(async (stream) => ({
      durables: await readDurables(nc, stream),
      fill: await readFill(nc, stream),
    })),
  ]);
  return {
    durables: perStream.flatMap(({ durables }) => durables),
    streams: [...perStream.flatMap(({ fill }) => fill ?? []), ...(letters.fill ? [letters.fill] : [])],
    letters: letters.counts,
  };
}

async function readDurables(nc: NatsConnection, stream: string): Promise<readonly Queue[]> {
  const answer = await ask(nc, `CONSUMER.LIST.${stream}`, { offset: 0 });
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

async function readFill(nc: NatsConnection, stream: string): Promise<StreamFill | undefined> {
  return fillOf(stream, await ask(nc, `STREAM.INFO.${stream}`));
}

async function readLetters(
  nc: NatsConnection,
): Promise<{ readonly fill: StreamFill | undefined; readonly counts: readonly LetterCount[] }> {
  const answer = await ask(nc, `STREAM.INFO.${deadStream}`, { subjects_filter: "casino.dead.*.*" });
  const state = isObject(answer?.state) ? answer.state : {};
  const subjects = isObject(state.subjects) ? state.subjects : {};
  const counts = Object.entries(subjects).map(([subject, number]) => {
    const [, , step = "", client = ""] = subject.split(".");
    return { step, client, count: count(number) };
  });
  return { fill: fillOf(deadStream, answer), counts };
}

function fillOf(stream: string, answer: Readonly<Record<string, unknown>> | undefined) {
  if (answer === undefined || !isObject(answer.state) || !isObject(answer.config)) return undefined;
  const { messages, bytes } = answer.state;
  const limit = answer.config.max_bytes;
  return {
    stream,
    messages: count(messages),
    bytes: count(bytes),
    maxBytes: typeof limit === "number" ? limit : -1,
  };
}

/** Undefined when there is no such stream, or nobody may look at it. */
async function ask(nc: NatsConnection, what: string, request: object = {}) {
  try {
    return await askBroker(nc, what, request);
  } catch (err) {
    if (err instanceof StreamMissing || err instanceof RefusedRequest) return undefined;
    throw err;
  }
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);
