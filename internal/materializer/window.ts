/** The largest window that can be asked for, in seconds. */
export const maxWindowSeconds = 3_600;

/** Up to this length a window is measured in hundredths of a second, beyond in seconds. */
const fineSeconds = 60;

/**
 * Counts the events of the last hour, so that any window up to that length can be asked for. The memory is the same
 * however many events there are: 76 KB. An event is placed by the time at which the stream stored it, so that a
 * rebuild gives the same counts. A window may miss events that are older than its length less one tick: a hundredth
 * of a second for windows up to a minute, a second for longer ones. It never holds one older than its length.
 */
export class SlidingWindow {
  readonly #fine = new TickRing(10, fineSeconds * 100);
  readonly #coarse = new TickRing(1_000, maxWindowSeconds);

  /** Counts one event. @param storedAt milliseconds since 1970; need not grow, older ones find their place. */
  add(storedAt: number): void {
    this.#fine.add(storedAt);
    this.#coarse.add(storedAt);
  }

  /**
   * The number of events in the last `seconds` before `now`, without those later than `now`.
   * @param seconds 1 to 3600
   * @param now milliseconds since 1970
   */
  count(seconds: number, now: number): number {
    return (seconds <= fineSeconds ? this.#fine : this.#coarse).count(seconds * 1_000, now);
  }
}

/**
 * Counts per tick of the most recent ticks, in a ring.
 *
 * A leap forward beyond the ring may be a lull or a wrong clock: the counts before it are kept, and continued when an
 * event belongs to them. Events come in the order in which they are stored, so one older than the ring means that the
 * clock was set back: from then on it counts.
 */
class TickRing {
  readonly #tickMs: number;
  #counts: Uint32Array;
  #newest = Number.NEGATIVE_INFINITY; // the latest tick the ring reaches to
  #beforeLeap: { readonly counts: Uint32Array; readonly newest: number } | undefined;

  constructor(tickMs: number, ticks: number) {
    this.#tickMs = tickMs;
    this.#counts = new Uint32Array(ticks);
  }

  add(at: number): void {
    const tick = Math.floor(at / this.#tickMs);
    const size = this.#counts.length;
    if (tick <= this.#newest - size) this.#setBack(tick);
    if (tick > this.#newest) this.#advance(tick);
    const place = tick % size;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
  }

  count(lengthMs: number, now: number): number {
    const size = this.#counts.length;
    const last = Math.floor(now / this.#tickMs);
    const first = Math.max(last - lengthMs / this.#tickMs, this.#newest - size) + 1;
    let total = 0;
    let place = first % size;
    for (let left = Math.min(last, this.#newest) - first; left >= 0; left--) {
      total += this.#counts[place] ?? 0;
      if (++place === size) place = 0;
    }
    return total;
  }

  #advance(tick: number): void {
    const size = this.#counts.length;
    if (tick - this.#newest >= size) {
      this.#beforeLeap = { counts: this.#counts, newest: this.#newest };
      this.#counts = new Uint32Array(size);
    } else for (let skipped = this.#newest + 1; skipped <= tick; skipped++) this.#counts[skipped % size] = 0;
    this.#newest = tick;
  }

  #setBack(tick: number): void {
    const size = this.#counts.length;
    const before = this.#beforeLeap;
    this.#beforeLeap = undefined;
    const belongs = before !== undefined && tick > before.newest - size && tick < before.newest + size;
    this.#counts = belongs ? before.counts : new Uint32Array(size);
    this.#newest = belongs ? before.newest : tick;
  }
}
