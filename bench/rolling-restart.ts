import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "./environment.ts";
import type { Measurement } from "./measurement.ts";
import { clear } from "./streams.ts";
import { timeRow } from "./table.ts";

/** Services that final events depend on run twice, so that one works while the other restarts. */
const services = ["enricher", "enricher", "archiver", "logger", "materializer"];
/** Events per second: so many that the producer itself causes no gap. */
const rate = 1_000;
/** Longer than any restart. */
const mostSeconds = 600;

/**
 * Publishes at a steady rate, restarts every service in turn, and measures how long a subscriber waits for the next final
 * event.
 */
export const rollingRestart: Measurement = {
  name: "rolling-restart",
  title: "longest gap between two final events at 1,000 events/s, in ms",
  once: true,
  async measure({ bench, options }) {
    const { signal } = bench;
    await clear(bench.nc);
    const running: Running[] = await Promise.all(services.map((name) => bench.start(name)));
    const load = bench.program("load/steady.ts", {
      ...{ RATE: String(rate), SECONDS: String(mostSeconds), WARM_UP: "1", PATIENCE: "1" },
      SOURCE: "rolling",
    });

    let longest = 0;
    let last = performance.now();
    const heard = Promise.withResolvers<void>();
    const subscription = bench.nc.subscribe("casino.event.final.>", {
      callback: () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        heard.resolve();
      },
    });
    const gapDuring = async (work: () => Promise<unknown>): Promise<number> => {
      longest = 0;
      await work();
      return Math.max(longest, performance.now() - last);
    };
    await Promise.race([heard.promise, load.output]);
    // In the first seconds code is cold.
    await sleep(3_000, undefined, { signal });
    const undisturbed = await gapDuring(() => sleep(options.seconds * 1_000, undefined, { signal }));
    const restarting = await gapDuring(async () => {
      for (const [index, name] of services.entries()) {
        await running[index]?.stop();
        running[index] = await bench.start(name);
      }
      await sleep(1_000, undefined, { signal });
    });
    await load.stop();
    subscription.unsubscribe();
    for (const service of running) await service.stop();
    return [
      timeRow("undisturbed", undisturbed, { ms: undisturbed }),
      timeRow("every service restarted in turn, two enrichers", restarting, { ms: restarting }),
    ];
  },
};
