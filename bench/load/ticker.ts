import { parentPort, workerData } from "node:worker_threads";

/**
 * A thread that reports when the next event is due. It sleeps in the kernel, with a precision of a tenth of a millisecond:
 * timers of the event loop have whole milliseconds, and spinning would take a core from the measured system.
 */
const { everyMs, count } = workerData as { readonly everyMs: number; readonly count: number }; // what steady.ts passes
const neverWoken = new Int32Array(new SharedArrayBuffer(4));
const started = performance.timeOrigin + performance.now();
for (let next = 0; next < count; next++) {
  const wait = started + next * everyMs - (performance.timeOrigin + performance.now());
  if (wait > 0) {
    Atomics.wait(neverWoken, 0, 0, wait);
    parentPort?.postMessage(started);
  }
}
parentPort?.postMessage(started);
