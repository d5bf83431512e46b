/** Pauses between attempts, in ms: after the first attempt the first one. */
export type RetryPlan = readonly number[];

/** How much longer or shorter a pause may be, so that receivers do not get everything of an outage at one moment. */
const jitter = 0.2;
/** A receiver may ask for patience, but not for ever. */
const longestRetryAfterMs = 86_400_000;

/**
 * How long to wait before the next attempt, in ms.
 * @param attempt how many were made, from 1
 * @param retryAfterMs what the receiver asked for: a longer pause, at most a day; never a shorter one
 * @param random 0..1
 * @returns undefined when the plan is over
 */
export function pauseAfter(
  plan: RetryPlan,
  attempt: number,
  retryAfterMs = 0,
  random: number = Math.random(),
): number | undefined {
  const pause = plan[attempt - 1];
  if (pause === undefined) return undefined;
  const spread = Math.round(pause * (1 - jitter + 2 * jitter * random));
  return Math.max(spread, Math.min(retryAfterMs, longestRetryAfterMs));
}
