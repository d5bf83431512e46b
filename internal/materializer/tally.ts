/** One past the largest number that a double still counts one by one. */
const wrap = 2 ** 53;

/**
 * One number per player that only grows, by index; exact at any size. A double holds the part below 2^53; how often a sum
 * has passed that is kept separately, for the few that ever do. Memory: 8 bytes per player.
 */
export class Tally {
  #low = new Float64Array(16);
  readonly #wraps = new Map<number, number>();

  /** @param amount an integer from 0 to 2^53-1. */
  add(index: number, amount: number): void {
    if (index >= this.#low.length) this.#grow(index);
    const before = this.#low[index] ?? 0;
    if (amount < wrap - before) {
      this.#low[index] = before + amount;
    } else {
      // In this order every intermediate result stays below 2^53, hence exact.
      this.#low[index] = before - (wrap - amount);
      this.#wraps.set(index, (this.#wraps.get(index) ?? 0) + 1);
    }
  }

  /** The number of a player; a bigint only where a double would not be exact. Zero for an unknown index. */
  get(index: number): number | bigint {
    const low = this.#low[index] ?? 0;
    const wraps = this.#wraps.get(index);
    return wraps === undefined ? low : BigInt(wraps) * BigInt(wrap) + BigInt(low);
  }

  /** Positive when the first player's number is greater, negative when the second's is, zero when equal. */
  compare(a: number, b: number): number {
    if (this.#wraps.size > 0) {
      const wraps = (this.#wraps.get(a) ?? 0) - (this.#wraps.get(b) ?? 0);
      if (wraps !== 0) return wraps;
    }
    return (this.#low[a] ?? 0) - (this.#low[b] ?? 0);
  }

  #grow(index: number): void {
    const larger = new Float64Array(Math.max(index + 1, this.#low.length * 2));
    larger.set(this.#low);
    this.#low = larger;
  }
}
