import { JetStreamApiError } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { StreamMissing } from "../jetstream/api.ts";
import { consumersOf } from "../jetstream/consumer-state.ts";
import { countBySubject, type StreamState, stateOf } from "../jetstream/stream-state.ts";
import { apartStream, deadStream, finalStage, retryStream, stageStream } from "../messages/subjects.ts";

/** A step by name, and the stage from which it takes its events. */
export interface Layout {
  readonly name: string;
  readonly takesFrom: string;
}

/** A durable consumer's state. All counts are messages, each of which may carry several events. */
export interface Queue {
  readonly durable: string;
  readonly stream: string;
  readonly waiting: number;
  /** Delivered, not acknowledged yet. */
  readonly unacked: number;
}

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

/** A longer list of consumers, as of a stream with many destinations, takes several requests: it is read less often. */
const shortList = 256;
const longListEveryMs = 10_000;

/** Reads JetStream's data about the pipeline, again and again. */
export class QueueReader {
  readonly #nc: NatsConnection;
  readonly #layout: readonly Layout[];
  /** The long lists of consumers, and when they were read. */
  readonly #lists = new Map<string, { readonly at: number; readonly durables: readonly Queue[] }>();

  constructor(nc: NatsConnection, layout: readonly Layout[]) {
    this.#nc = nc;
    this.#layout = layout;
  }

  /** Requests everything at once, with two small requests per stream. Missing streams are left out. @throws Unavailable while NATS is away */
  async read(): Promise<Queues> {
    const stages = this.#layout.map(({ takesFrom }) => stageStream(takesFrom));
    const mailboxes = [...stages, apartStream, stageStream(finalStage), retryStream];
    const [letters, durables, fills] = await Promise.all([
      readLetters(this.#nc),
      Promise.all(mailboxes.map((stream) => this.#durablesOf(stream))),
      Promise.all([...mailboxes, deadStream].map((stream) => ifThere(stateOf(this.#nc, stream)))),
    ]);
    const streams = fills.flatMap((fill) => fill ?? []);
    const found = durables.flat();
    return { letters, durables: [...found, ...this.#unread(found, streams)], streams };
  }

  async #durablesOf(stream: string): Promise<readonly Queue[]> {
    const known = this.#lists.get(stream);
    if (known !== undefined && performance.now() - known.at < longListEveryMs) return known.durables;
    const consumers = (await ifThere(consumersOf(this.#nc, stream))) ?? [];
    const durables = consumers
      // Temporary consumers, such as for a rebuild, are no mailboxes.
      .filter(({ config }) => config.durable_name !== undefined)
      .map(({ name, num_pending: waiting, num_ack_pending: unacked }) => ({
        ...{ durable: name, stream, waiting, unacked },
      }));
    if (consumers.length > shortList) this.#lists.set(stream, { at: performance.now(), durables });
    else this.#lists.delete(stream);
    return durables;
  }

  /** Where no enricher has ever run a step there is no consumer, and everything in its queue waits. */
  #unread(durables: readonly Queue[], streams: readonly StreamFill[]): readonly Queue[] {
    return this.#layout.flatMap(({ name: durable, takesFrom }) => {
      const stream = stageStream(takesFrom);
      const fill = streams.find((one) => one.stream === stream);
      const isRead = durables.some((queue) => queue.stream === stream && queue.durable === durable);
      return isRead || fill === undefined ? [] : [{ durable, stream, waiting: fill.messages, unacked: 0 }];
    });
  }
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
