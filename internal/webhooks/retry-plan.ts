/** Pauses between attempts, in ms; the first one follows the first attempt. */
export type RetryPlan = readonly number[];

/** The share by which a pause varies, so that receivers do not get all events of an outage at once. */
const jitter = 0.2;
/** The longest `Retry-After` that is honoured for an event, in ms. */
const longestRetryAfterMs = 86_400_000;

/**
 * How long to wait before the next attempt, in ms.
 * @param attempt number of attempts made, from 1
 * @param retryAfterMs the receiver's `Retry-After`: it may lengthen a pause, up to a day, but not shorten it
 * @param random 0..1
 * @returns undefined if no attempt is left
 */
export function untilNextAttempt(
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
