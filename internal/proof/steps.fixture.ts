import type { NatsConnection } from "nats";
import { StepRun } from "../actor/step-run.ts";
import type { WorkerProcess } from "../actor/worker-process.ts";
import { decoder } from "../enrichment/decoding.ts";
import { pipeline, stations } from "../enrichment/pipeline.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import type { Log } from "../service/log.ts";

/** Clients that the step `player` does not know. */
export const unknownToPlayer = new Set<string>();

/** The steps of the pipeline in a world in which everything is there. */
export const places = stations(
  pipeline({
    rates: {
      current: async () => ({
        rates: new Map([["USD", "1.0684"]]),
        fetchedAt: Date.now(),
        missing: new Map(),
      }),
    },
    players: {
      find: async (keys) =>
        keys.map(({ client }) => ({ clientKnown: !unknownToPlayer.has(client), player: undefined })),
    },
    games: { titleOf: () => undefined },
  }),
);

const types = {
  decode: <T>(_client: string, read: (types: () => undefined) => T) => read(() => undefined),
};

/** Runs the steps, all or those of these names. */
export async function runSteps(
  names: readonly string[],
  common: { nc: NatsConnection; publisher: Publisher; worker: WorkerProcess; log: Log; bundles: boolean },
): Promise<readonly StepRun[]> {
  const chosen = places.filter(({ step }) => names.length === 0 || names.includes(step.name));
  return Promise.all(
    chosen.map(({ step, takesFrom }) =>
      StepRun.start({
        ...common,
        step,
        takesFrom,
        decode: decoder(takesFrom, { types, maxAheadMs: Number.POSITIVE_INFINITY }),
        replicas: 1,
        // What was on its way when somebody was killed comes again that soon.
        ackWaitMs: 2_000,
        // A killed server 2.9 brings back what was acknowledged.
        lookForStuckEveryMs: 300,
      }),
    ),
  );
}
