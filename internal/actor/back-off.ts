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
