import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Status } from "./status.ts";

/** How often the event loop is sampled, in ms. */
const resolution = 20;

/** Samples the resources that this process uses, as a status shows them: each sample covers the time since the last. */
export class ProcessFigures {
  readonly #delay = monitorEventLoopDelay({ resolution });
  #cpu = process.cpuUsage();
  #at = performance.now();

  constructor() {
    this.#delay.enable();
  }

  look(): Pick<Status, "cpu" | "memory" | "event_loop_p99_ms"> {
    const [cpu, at] = [process.cpuUsage(), performance.now()];
    const used = (cpu.user + cpu.system - this.#cpu.user - this.#cpu.system) / 1_000;
    const cores = used / Math.max(1, at - this.#at);
    [this.#cpu, this.#at] = [cpu, at];
    // The delay includes the sampling interval of `resolution`; it is NaN without a sample.
    const late = this.#delay.percentile(99) / 1e6 - resolution;
    this.#delay.reset();
    const { heapUsed } = process.memoryUsage();
    return {
      cpu: Math.round(cores * 1_000) / 1_000,
      memory: { rss: process.memoryUsage.rss(), heap_used: heapUsed },
      event_loop_p99_ms: Math.max(0, Math.round(late * 100) / 100) || 0,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
