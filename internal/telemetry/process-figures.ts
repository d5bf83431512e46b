import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/** How often the event loop is looked at, in ms. */
const resolution = 20;

/** What this process takes of its machine. */
export interface Figures {
  /** CPU time since the last look, in cores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heap_used: number };
  /** How late the event loop was since the last look, in ms. */
  readonly event_loop_p99_ms: number;
}

/** Looks at this process: each look tells of the time since the one before. */
export class ProcessFigures {
  readonly #delay = monitorEventLoopDelay({ resolution });
  #cpu = process.cpuUsage();
  #at = performance.now();

  constructor() {
    this.#delay.enable();
  }

  look(): Figures {
    const [cpu, at] = [process.cpuUsage(), performance.now()];
    const used = (cpu.user + cpu.system - this.#cpu.user - this.#cpu.system) / 1_000;
    const cores = used / Math.max(1, at - this.#at);
    [this.#cpu, this.#at] = [cpu, at];
    // It measures from one look to the next, which are `resolution` apart when nothing is late; NaN where there was none.
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
