import type { Log } from "./log.ts";

/**
 * Looks at something at once and again in intervals. What cannot be seen now is looked at the next time.
 * @param what is looked at, for the log
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
