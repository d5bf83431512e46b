import type { Log } from "./log.ts";

/**
 * Checks something at once and again at intervals. A failed check is repeated the next time.
 * @param what names the check in the log
 * @returns ends it
 */
export function lookEvery(ms: number, what: string, look: () => Promise<void>, log: Log): () => void {
  const now = (): void => {
    look().catch((err: unknown) => log.debug({ err }, `cannot look at ${what} now`));
  };
  const timer = setInterval(now, ms).unref();
  now();
  return () => clearInterval(timer);
}
