/** At most so many calls a second, a second's worth of them at once. */
export class Pace {
  #perSecond: number | null;
  #tokens: number;
  #at: number;

  /** @param perSecond null: as many as one likes */
  constructor(perSecond: number | null, now: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond ?? 0;
    this.#at = now;
  }

  set(perSecond: number | null): void {
    if (perSecond === this.#perSecond) return;
    this.#perSecond = perSecond;
    this.#tokens = Math.min(this.#tokens, perSecond ?? 0);
  }

  /** Until the next call may begin, in ms; 0 = now. */
  waitMs(now: number): number {
    if (this.#perSecond === null) return 0;
    this.#refill(now, this.#perSecond);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1_000);
  }

  /** A call begins. */
  take(now: number): void {
    if (this.#perSecond === null) return;
    this.#refill(now, this.#perSecond);
    this.#tokens--;
  }

  #refill(now: number, perSecond: number): void {
    this.#tokens = Math.min(perSecond, this.#tokens + ((now - this.#at) / 1_000) * perSecond);
    this.#at = now;
  }
}
