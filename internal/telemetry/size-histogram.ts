import type { Distribution } from "./metrics.ts";

/** The largest bucket bound, as a power of two: 1,024. */
const mostDoublings = 10;

/** A histogram of events per message, with powers of two as bucket bounds. */
export class SizeHistogram {
  readonly #counts = new Float64Array(mostDoublings + 2);
  #sum = 0;

  add(size: number): void {
    const bucket = size <= 1 ? 0 : Math.min(mostDoublings + 1, 32 - Math.clz32(size - 1));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += size;
  }

  get distribution(): Distribution {
    const buckets: [number, number][] = [];
    let count = 0;
    for (const [doublings, found] of this.#counts.entries()) {
      count += found;
      if (doublings <= mostDoublings) buckets.push([2 ** doublings, count]);
    }
    return { buckets, count, sum: this.#sum };
  }
}
