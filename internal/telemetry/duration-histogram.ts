import type { Distribution } from "./metrics.ts";

/** The bucket bounds in metrics: 1 ms to 65.536 s. */
const shownMs = Array.from({ length: 17 }, (_, doublings) => 2 ** doublings);

/**
 * A histogram of durations. Each bucket is a fifth to a quarter larger than the previous one, so a quantile is exact to
 * some 20 %. Counting a duration takes a few nanoseconds and no memory.
 *
 * Durations are whole ticks, which are small integers, so that callers can keep thousands of start times without
 * allocating a heap number for each.
 */
export class DurationHistogram {
  readonly #counts = new Float64Array(bucketCount);
  #sum = 0;

  /** The number of durations counted. */
  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** The sum of all durations, in seconds. */
  get sumSeconds(): number {
    return this.#sum / ticksPerMs / 1_000;
  }

  /** @param ticks from `ticksSince`; below zero counts as zero. @param times how often to count it */
  add(ticks: number, times = 1): void {
    const duration = Math.max(0, ticks | 0);
    const bucket = bucketOf(duration);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
    this.#sum += duration * times;
  }

  addMs(ms: number): void {
    this.add(Math.min(ms * ticksPerMs, 2 ** 31 - 1));
  }

  /** The current counts, to compare with those of another moment. */
  snapshot(): Float64Array {
    return this.#counts.slice();
  }

  /** In seconds. */
  get distribution(): Distribution {
    const buckets = shownMs.map((ms) => [ms / 1_000, this.countWithin(ms)] as const);
    return { buckets, count: this.count, sum: this.sumSeconds };
  }

  /** How many durations were at most this many ms; a power of two from 1 on, because these are bucket bounds. */
  countWithin(ms: number): number {
    const end = bucketOf(ms * ticksPerMs);
    let sum = 0;
    for (let bucket = 0; bucket < end; bucket++) sum += this.#counts[bucket] ?? 0;
    return sum;
  }
}

/**
 * The quantile, in ms, of durations counted between two snapshots; null if there were none.
 * @param share 0.99 for the 99th percentile
 */
export function quantileBetween(earlier: Float64Array, later: Float64Array, share: number): number | null {
  const counts = later.map((count, bucket) => count - (earlier[bucket] ?? 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const wanted = total * share;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (below + count >= wanted && count > 0) {
      const [from, to] = [startOf(bucket), startOf(bucket + 1)];
      const within = (wanted - below) / count;
      return Math.round(((from + (to - from) * within) / ticksPerMs) * 1_000) / 1_000;
    }
    below += count;
  }
  return null;
}

/** A power of two, so that powers of two of milliseconds are bucket bounds. */
const ticksPerMs = 16;

/** The current time as a small integer that wraps around every 74 hours. */
export function tick(): number {
  return (performance.now() * ticksPerMs) | 0;
}

/** The ticks from an earlier `tick` to now; correct up to 37 hours. */
export function ticksSince(earlier: number): number {
  return (tick() - earlier) | 0;
}

/** Four buckets for each doubling, up to 2^31 ticks. */
const bucketCount = 120;

function bucketOf(ticks: number): number {
  if (ticks < 4) return ticks;
  const doubling = 31 - Math.clz32(ticks);
  return (doubling - 1) * 4 + ((ticks >> (doubling - 2)) & 3);
}

/** The lower bound of a bucket, in ticks. */
function startOf(bucket: number): number {
  if (bucket < 4) return bucket;
  return (4 + (bucket & 3)) * 2 ** ((bucket >> 2) - 1);
}
