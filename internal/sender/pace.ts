/** Limits calls per second, with bursts of up to one second's calls. */
export class Pace {
  #perSecond: number | null;
  #tokens: number;
  #at: number;

  /** @param perSecond null = no limit */
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

  /** Time until the next call may start, in ms; 0 = now. */
  waitMs(now: number): number {
    if (this.#perSecond === null) return 0;
    this.#refill(now, this.#perSecond);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1_000);
  }

  /** Counts a call that starts. */
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
