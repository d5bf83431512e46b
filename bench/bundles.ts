import type { NatsConnection } from "nats";
import { stageStream } from "../internal/messages/subjects.ts";
import { messagesStored } from "./streams.ts";

const stages = ["raw", "priced", "profiled"];
/** How many bundles to read for the largest: reading all of them would disturb the measurement. */
const samples = 500;

/** Counts events per message. */
export class BundleSizes {
  readonly #nc: NatsConnection;
  readonly #before: ReadonlyMap<string, number>;
  #largest = 1;

  private constructor(nc: NatsConnection, before: ReadonlyMap<string, number>) {
    this.#nc = nc;
    this.#before = before;
    for (const stage of stages)
      nc.subscribe(`casino.event.${stage}._.bundle`, {
        max: samples,
        callback: (_err, msg) => {
          this.#largest = Math.max(this.#largest, Number(msg.headers?.get("Casino-Count") ?? 1));
        },
      });
  }

  /** Starts to count. */
  static async watch(nc: NatsConnection): Promise<BundleSizes> {
    return new BundleSizes(nc, await stored(nc));
  }

  /**
   * @param events how many have passed each stage since the start
   * @returns the mean of each stage, and the largest bundle of the sample
   */
  async means(events: number): Promise<ReadonlyMap<string, number>> {
    const after = await stored(this.#nc);
    const means = stages.map((stage): [string, number] => [
      stage,
      events / Math.max(1, (after.get(stage) ?? 0) - (this.#before.get(stage) ?? 0)),
    ]);
    return new Map([...means, ["largest", this.#largest]]);
  }
}

async function stored(nc: NatsConnection): Promise<ReadonlyMap<string, number>> {
  return new Map(
    await Promise.all(
      stages.map(async (stage) => [stage, await messagesStored(nc, stageStream(stage))] as const),
    ),
  );
}
