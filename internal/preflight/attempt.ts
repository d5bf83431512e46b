import { setTimeout as sleep } from "node:timers/promises";
import { createLog, reasonOf } from "../service/log.ts";
import { Refused } from "../service/unavailable.ts";

/** How an attempt reports to its caller and is stopped. */
export interface Watcher {
  /** Takes one sentence. */
  readonly say: (sentence: string) => void;
  readonly signal: AbortSignal;
}

/** Attempts are reported to the caller and not logged. */
export const silent = createLog("up", "silent");

const retryMs = 500;

/**
 * Tries again until it works, and says once that it waits. @param who what is tried, with where it is
 * @throws Refused, or the signal's reason when aborted
 */
export async function untilThere<T>(
  who: string,
  attempt: () => Promise<T>,
  { say, signal }: Watcher,
): Promise<T> {
  for (let said = false; ; ) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (err) {
      signal.throwIfAborted();
      if (err instanceof Refused) throw err;
      if (!said) say(`${who} is away (${reasonOf(err)}): waiting until it answers`);
      said = true;
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
