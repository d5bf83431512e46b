import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { layout } from "../../internal/enrichment/pipeline.ts";
import { stateOf } from "../../internal/jetstream/stream-state.ts";
import { countHeader } from "../../internal/messages/bundle.ts";
import { bundleSubject, rawStage, stageStream } from "../../internal/messages/subjects.ts";
import { waitingIn } from "../../internal/proof/waiting.ts";

/** Bundles that a step has forwarded and the next step has not acknowledged, at one moment. */
export interface UnderWay {
  readonly bundles: number;
  /** The events in them. */
  readonly events: number;
}

/** The stages between the steps, the only ones with bundles. */
const inner = layout.map(({ takesFrom }) => takesFrom).filter((stage) => stage !== rawStage);

/** Kills processes while bundles are under way, and records how many there were. */
export class Killer {
  /** One entry per kill, read just before it. */
  readonly kills: UnderWay[] = [];
  readonly #nc: NatsConnection;

  readonly #patienceMs: number;

  /**
   * @param nc may read the queues
   * @param patienceMs how long a kill waits for bundles; default: longer than a lull of the load
   */
  constructor(nc: NatsConnection, patienceMs = 3_000) {
    this.#nc = nc;
    this.#patienceMs = patienceMs;
  }

  /**
   * Kills all victims at once, as soon as bundles are under way. Kills them without any when its patience is over.
   * @throws Unavailable when the queues cannot be read
   */
  async kill(...victims: readonly { kill(): Promise<void> }[]): Promise<void> {
    const deadline = performance.now() + this.#patienceMs;
    let underWay = await bundlesUnderWay(this.#nc);
    while (underWay.bundles === 0 && performance.now() < deadline) {
      await sleep(2);
      underWay = await bundlesUnderWay(this.#nc);
    }
    this.kills.push(underWay);
    await Promise.all(victims.map((victim) => victim.kill()));
  }
}

/** Counts all bundles in the queues, because a work queue holds each message until it is acknowledged. @throws Unavailable */
export async function bundlesUnderWay(nc: NatsConnection): Promise<UnderWay> {
  const inStages = await Promise.all(inner.map((stage) => countsIn(nc, stage)));
  const counts = inStages.flat();
  return { bundles: counts.length, events: counts.reduce((sum, count) => sum + count, 0) };
}

/** How many events each bundle of a queue carries. */
async function countsIn(nc: NatsConnection, stage: string): Promise<readonly number[]> {
  const stream = stageStream(stage);
  const counts: number[] = [];
  for await (const { headers } of waitingIn(nc, stream, bundleSubject(stage), await stateOf(nc, stream)))
    counts.push(Number(headers.get(countHeader)));
  return counts;
}
