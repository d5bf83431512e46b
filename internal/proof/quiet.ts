import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { archiverDurable } from "../archive/archiver.ts";
import { layout } from "../enrichment/pipeline.ts";
import { finalStage, stageStream } from "../jetstream/subjects.ts";
import { consumerOf } from "./consumer-state.ts";
import { stateOf } from "./stream-state.ts";

const pollMs = 200;

/** The pipeline at one moment: what is still on its way, and a text that changes with every event. */
export interface Movement {
  /** What events wait for, one phrase each; none when all is settled. */
  readonly waiting: readonly string[];
  readonly mark: string;
  /** Whether there ever was an archiver. */
  readonly hasArchiver: boolean;
}

/** Looks where events still wait. @throws Unavailable, StreamMissing */
export async function movementOf(nc: NatsConnection): Promise<Movement> {
  const queues = await Promise.all(layout.map(({ takesFrom }) => stateOf(nc, stageStream(takesFrom))));
  const events = await stateOf(nc, stageStream(finalStage));
  const archiver = await consumerOf(nc, archiverDurable.stream, archiverDurable.name);
  const behind = archiver === undefined ? 0 : archiver.pending + archiver.unacknowledged;
  return {
    waiting: [
      ...queues.filter(({ messages }) => messages > 0).map((it) => `${it.messages} in ${it.stream}`),
      ...(behind > 0 ? [`${behind} for the archiver`] : []),
    ],
    mark: [...queues, events].map(({ lastSeq }) => lastSeq).join(),
    hasArchiver: archiver !== undefined,
  };
}

/**
 * Waits until nothing moves.
 * @returns what still waits after `waitMs`, none when all is quiet @throws Unavailable, StreamMissing
 */
export async function waitForQuiet(
  nc: NatsConnection,
  waitMs: number,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const deadline = performance.now() + waitMs;
  let last: string | undefined;
  for (;;) {
    const { waiting, mark } = await movementOf(nc);
    if (waiting.length === 0 && mark === last) return [];
    if (performance.now() >= deadline) return waiting.length > 0 ? waiting : ["events keep coming"];
    last = mark;
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
