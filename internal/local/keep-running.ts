import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";

/** A process that is restarted whenever it ends. */
export interface Kept<P extends Child> {
  /** Settles with the first start; if that fails, it rejects and there is no second start. */
  readonly started: Promise<P>;
  /** Ends it for good: gracefully, or by SIGKILL after `within` ms. */
  stop(within: number): Promise<void>;
}

/** A service has to be back within 5 s, which leaves it the rest for its start. */
const pauses = [100, 500, 1_000, 2_000, 3_000];
/** A process that ran this long did not fail at its start, so the next pause is the shortest again. */
const provenAfter = 20_000;

/**
 * Keeps one process running: however it ends, it is restarted after a pause that grows from 0.1 s to 3 s while it keeps
 * failing. Reports each end and each failed start.
 * @param start gets a signal that aborts when the process is no longer wanted
 */
export function keepRunning<P extends Child>(
  name: string,
  start: (signal: AbortSignal) => Promise<P>,
  say: (message: string) => void,
): Kept<P> {
  const unwanted = new AbortController();
  const { signal } = unwanted;
  let current: P | undefined;

  const started = start(signal);
  const tended = started.then(
    (first) => tend(first),
    () => undefined,
  );

  async function tend(first: P): Promise<void> {
    current = first;
    let startedAt = performance.now();
    for (let failures = 0; ; ) {
      const how = current === undefined ? "it did not start" : await current.exited;
      if (signal.aborted) return;
      if (current !== undefined && performance.now() - startedAt > provenAfter) failures = 0;
      const pause = pauses[failures] ?? 3_000;
      failures += 1;
      if (current !== undefined) say(`${name} ended (${how}); it starts again in ${pause / 1000} s`);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      startedAt = performance.now();
      try {
        current = await start(signal);
      } catch (error) {
        current = undefined;
        if (!signal.aborted) say(`${name} did not start and is tried again: ${String(error)}`);
      }
    }
  }

  return {
    started,
    stop: async (within) => {
      unwanted.abort(new Error(`${name} is no longer wanted`));
      await current?.stop(within);
      // A start in progress may still have to end.
      await tended;
      await current?.stop(within);
    },
  };
}
