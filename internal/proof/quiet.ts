import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { archiverDurable } from "../archive/archiver.ts";
import { layout } from "../enrichment/pipeline.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { apartStage, finalStage, stageStream } from "../messages/subjects.ts";
import { counted } from "../service/counted.ts";

const pollMs = 200;

/** The pipeline at one moment: what is on its way, and a text that changes with every event. */
export interface Movement {
  /** What events wait for, one phrase each; empty when all is settled. */
  readonly waiting: readonly string[];
  readonly mark: string;
  /** Messages that CASINO_RAW has ever stored. */
  readonly accepted: number;
  /** How far the archiver is in CASINO_EVENTS; undefined when there never was one. */
  readonly archiver: Backlog | undefined;
}

/** What the archiver has not acknowledged in CASINO_EVENTS. */
interface Backlog {
  readonly events: number;
  /** From this sequence, */
  readonly from: number;
  /** up to this one. */
  readonly to: number;
}

/** Looks where events still wait. @throws Unavailable, StreamMissing */
export async function movementOf(nc: NatsConnection): Promise<Movement> {
  const stages = [...layout.map(({ takesFrom }) => takesFrom), apartStage];
  const queues = await Promise.all(stages.map((stage) => stateOf(nc, stageStream(stage))));
  const events = await stateOf(nc, stageStream(finalStage));
  const archiver = await consumerOf(nc, archiverDurable.stream, archiverDurable.name);
  const backlog: Backlog | undefined = archiver && {
    events: archiver.pending + archiver.unacknowledged,
    from: Math.max(archiver.ackFloor + 1, events.firstSeq),
    to: events.lastSeq,
  };
  const behind = backlog?.events ?? 0;
  return {
    waiting: [
      ...queues
        .filter(({ messages }) => messages > 0)
        .map((it) => `${counted(it.messages, "message")} in ${it.stream}`),
      ...(behind > 0 ? [`${counted(behind, "message")} for the archiver`] : []),
    ],
    mark: [...queues, events].map(({ lastSeq }) => lastSeq).join(),
    accepted: queues[0]?.lastSeq ?? 0,
    archiver: backlog,
  };
}

/**
 * Waits until nothing moves.
 * @param tell called repeatedly with what it waits for
 * @returns what still waits after `waitMs`, empty when all is quiet @throws Unavailable, StreamMissing
 */
export async function waitForQuiet(
  nc: NatsConnection,
  waitMs: number,
  signal?: AbortSignal,
  tell: (waiting: readonly string[]) => void = () => undefined,
): Promise<readonly string[]> {
  const deadline = performance.now() + waitMs;
  let last: string | undefined;
  let first: number | undefined;
  for (;;) {
    const { waiting, mark, accepted } = await movementOf(nc);
    if (waiting.length === 0 && mark === last) return [];
    first ??= accepted;
    const came = accepted - first;
    const all =
      came > 0
        ? [
            ...waiting,
            `${counted(came, "message")} that came since: it ends when their producers, such as a generator, pause`,
          ]
        : waiting;
    if (performance.now() >= deadline) return all.length > 0 ? all : ["events on the move"];
    tell(all);
    last = mark;
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
