import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { stageFilter, stageStream } from "../jetstream/subjects.ts";
import { consumerOf } from "./consumer-state.ts";
import { Names } from "./names.ts";
import { type StreamState, stateOf } from "./stream-state.ts";
import { waitingIn } from "./waiting.ts";

/** Between two looks: only what has not changed is stranded. */
const secondLookMs = 250;

/**
 * Messages that lie in a queue though its consumer is done with them: delivered as often as a limited `max_deliver` allows,
 * or acknowledged before a restart of the broker that brought them back. Nobody would ever get them. @throws Unavailable
 */
export async function findStranded(nc: NatsConnection, most: number): Promise<Names> {
  const stranded = new Names(most);
  for (const { name, takesFrom } of layout) {
    const stream = stageStream(takesFrom);
    const first = await look(nc, stream, name);
    if (first === undefined) continue;
    await sleep(secondLookMs);
    const second = await look(nc, stream, name);
    if (second?.mark !== first.mark) continue;
    const range = { firstSeq: second.state.firstSeq, lastSeq: second.doneWith };
    const found: number[] = [];
    for await (const { seq } of waitingIn(nc, stream, stageFilter(takesFrom), range)) found.push(seq);
    for (const seq of found.sort((a, b) => a - b)) stranded.add(`${stream} ${seq}`);
  }
  return stranded;
}

/** A queue in which something looks stranded. */
interface Suspicion {
  readonly state: StreamState;
  /** The consumer is done with everything up to this sequence. */
  readonly doneWith: number;
  /** Tells one such moment from another. */
  readonly mark: string;
}

async function look(nc: NatsConnection, stream: string, consumer: string): Promise<Suspicion | undefined> {
  const state = await stateOf(nc, stream);
  if (state.messages === 0) return undefined;
  const found = await consumerOf(nc, stream, consumer);
  if (found === undefined) return undefined;
  const isIdle = found.pending === 0 && found.unacknowledged === 0;
  const doneWith = isIdle ? Math.max(found.delivered, found.ackFloor) : found.ackFloor;
  if (state.firstSeq > doneWith) return undefined;
  return { state, doneWith, mark: `${state.firstSeq} ${doneWith}` };
}
