import { setTimeout as sleep } from "node:timers/promises";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { rawStage, rawSubject } from "../internal/jetstream/subjects.ts";
import { type Bench, clear, type Running, until } from "./environment.ts";
import { messageOf, rawPayloads } from "./publishing.ts";

/** The longest time without a final event, in ms. */
export interface Gaps {
  /** While nothing is restarted. */
  readonly undisturbed: number;
  readonly restarting: number;
}

/** Each of them twice, so that one is there while the other is away, where that matters to final events. */
const services = ["enricher", "enricher", "archiver", "logger", "materializer"];

/**
 * Publishes at a steady rate, restarts every service in turn, and looks how long a subscriber to the final events has
 * to wait for the next one.
 * @param rate events per second, far above one, so that a gap is none of the producer's
 */
export async function rollingRestart(bench: Bench, rate: number): Promise<Gaps> {
  await clear(bench.nc);
  const running: Running[] = await Promise.all(services.map((name) => bench.start(name)));
  const payloads = rawPayloads(1_000);
  const publisher = new Publisher(bench.nc);
  const place = { subject: rawSubject("casino"), source: "rolling", stage: rawStage };
  let id = 0;
  let failure: Error | undefined;
  const timer = setInterval(() => {
    for (let i = 0; i < rate / 100; i++) {
      const payload = { ...JSON.parse(String(payloads[id % payloads.length])), id: ++id };
      publisher.send(messageOf(place, id, Buffer.from(JSON.stringify(payload))), (outcome) => {
        if (outcome instanceof Error) failure = outcome;
      });
    }
  }, 10);

  let longest = 0;
  let last = performance.now();
  const subscription = bench.nc.subscribe("casino.event.final.>", {
    callback: () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    },
  });
  const gapDuring = async (work: () => Promise<unknown>): Promise<number> => {
    longest = 0;
    await work();
    return Math.max(longest, performance.now() - last);
  };
  // The first seconds meet cold code.
  await sleep(3_000);
  const undisturbed = await gapDuring(() => sleep(10_000));
  const restarting = await gapDuring(async () => {
    for (const [index, name] of services.entries()) {
      await running[index]?.stop();
      running[index] = await bench.start(name);
    }
    await sleep(1_000);
  });
  clearInterval(timer);
  await until(async () => publisher.pending === 0, "the events to be stored");
  subscription.unsubscribe();
  publisher.close();
  for (const service of running) await service.stop();
  if (failure !== undefined) throw failure;
  return { undisturbed, restarting };
}
