/** How many seconds of rates are kept. */
const seconds = 900;

/** A number for each of the last 900 seconds; null for seconds without data. */
export class Series {
  readonly #values = new Float64Array(seconds).fill(Number.NaN);
  /** The second that was written last. */
  #last = 0;

  /**
   * @param second since 1970; an earlier one than the last is ignored, as after the clock was set back, unless none of the
   * seconds kept is that early
   */
  put(second: number, value: number): void {
    if (second <= this.#last - seconds) this.#last = 0;
    if (second < this.#last) return;
    for (let gap = Math.max(this.#last + 1, second - seconds + 1); gap < second; gap++)
      this.#values[gap % seconds] = Number.NaN;
    this.#values[second % seconds] = value;
    this.#last = second;
  }

  /** From the oldest second to `until`. */
  values(until: number): readonly (number | null)[] {
    return Array.from({ length: seconds }, (_, index) => {
      const second = until - seconds + 1 + index;
      const value = this.#values[second % seconds] ?? Number.NaN;
      const isKnown = second > this.#last - seconds && second <= this.#last;
      return isKnown && !Number.isNaN(value) ? Math.round(value * 100) / 100 : null;
    });
  }
}

/** If two totals are further apart than this, there is no rate: it would average over all that time. */
const longestMs = 15_000;

/** Events per second, computed from a total that is sampled irregularly. */
export class CountedRate {
  readonly #series = new Series();
  #total: number | undefined;
  #at = 0;
  /** The latest rate. */
  last = 0;

  /** @param total undefined if unknown; a smaller one than before means that counting started over */
  count(total: number | undefined, now: number = performance.now()): void {
    const before = this.#total;
    if (total !== undefined && before !== undefined && total >= before && now - this.#at < longestMs) {
      this.last = now === this.#at ? this.last : ((total - before) * 1_000) / (now - this.#at);
      this.#series.put(thisSecond(), this.last);
    }
    this.#total = total;
    this.#at = now;
  }

  values(until: number): readonly (number | null)[] {
    return this.#series.values(until);
  }
}

export const thisSecond = (): number => Math.floor(Date.now() / 1_000);
