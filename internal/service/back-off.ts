import { setTimeout as sleep } from "node:timers/promises";

const firstMs = 250;
const mostMs = 30_000;

/**
 * How long to wait before attempt `attempt + 1`: doubling from a quarter of a second up to half a minute, half of it
 * random, so that what failed together does not come back together.
 */
export function backOff(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  return full / 2 + (full / 2) * random();
}

/** While something is away: the longest pause between attempts, as a number of them, so that work goes on soon after it is back. */
const longestAttemptGap = 5;

/** Waits after an attempt at what is away, never longer than after the fifth; a stop ends it early. Never rejects. */
export async function pauseAfter(attempt: number, stopping: AbortSignal): Promise<void> {
  const ms = backOff(Math.min(attempt, longestAttemptGap));
  await sleep(ms, undefined, { signal: stopping }).catch(() => undefined);
}
