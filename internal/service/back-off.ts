import { setTimeout as sleep } from "node:timers/promises";

const firstMs = 250;
const mostMs = 30_000;

/**
 * How long to wait before attempt `attempt + 1`: from a quarter of a second, doubling up to half a minute. Half of it is
 * random, so that things that failed together do not retry together.
 */
export function backOff(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  return full / 2 + (full / 2) * random();
}

/** The longest pause while something is away, as a number of attempts: work should resume soon after it is back. */
const longestAttemptGap = 5;

/** How long to wait after a failed attempt, in ms, never longer than after the fifth. */
export const pauseMs = (attempt: number): number => backOff(Math.min(attempt, longestAttemptGap));

/** Waits that long; a stop ends the wait. Never rejects. */
export async function pauseAfter(attempt: number, stopping: AbortSignal): Promise<void> {
  await sleep(pauseMs(attempt), undefined, { signal: stopping }).catch(() => undefined);
}
