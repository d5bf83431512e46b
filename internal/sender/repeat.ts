import { setTimeout as sleep } from "node:timers/promises";
import { type Log, reasonOf } from "../service/log.ts";

interface Repetition {
  /** A gerund, for the log. */
  readonly what: string;
  /** The pause between two times, in ms. */
  readonly gapMs: number;
  /** Done once. @returns true if it has to be done again at once */
  readonly work: () => Promise<unknown>;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Repeats an action with pauses. Logs its failure once, and repeats it until it succeeds. Never rejects. */
export async function repeat({ what, gapMs, work, log, signal }: Repetition): Promise<void> {
  let hasFailed = false;
  while (!signal.aborted) {
    let hasMore = false;
    try {
      hasMore = (await work()) === true;
      if (hasFailed) log.info(`${what} works again`);
      hasFailed = false;
    } catch (err) {
      if (signal.aborted) return;
      if (!hasFailed) log.warn({ err }, `${what} fails, and is tried until it works: ${reasonOf(err)}`);
      hasFailed = true;
    }
    if (!hasMore) await sleep(gapMs, undefined, { signal }).catch(() => undefined);
  }
}
