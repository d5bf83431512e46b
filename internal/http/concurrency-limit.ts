import { FairQueue } from "../service/fair-queue.ts";
import { Problem, unavailable } from "../service/problem.ts";

export interface ConcurrencyLimitOptions {
  /** Requests at work at once, of all owners and of each. */
  readonly all: number;
  readonly ofOwner: number;
  /** How many requests of one owner may wait, and how long, in ms. */
  readonly waiting?: number;
  readonly patienceMs?: number;
  /** What they do, for people: "read events". */
  readonly what: string;
}

/**
 * Limits how many expensive requests run at once, in total and per owner. Owners take turns, so that one client's
 * requests hold up nobody else's.
 */
export class ConcurrencyLimit {
  readonly #options: Required<ConcurrencyLimitOptions>;
  readonly #waiting = new FairQueue<() => void>();
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(options: ConcurrencyLimitOptions) {
    this.#options = { waiting: 32, patienceMs: 2_000, ...options };
  }

  /**
   * Does the work once the limit allows.
   * @throws Problem 429 when the owner has too many requests under way, 503 when there are too many overall
   */
  async run<T>(owner: string, work: () => Promise<T>): Promise<T> {
    if (this.#may(owner)) this.#take(owner);
    else await this.#wait(owner);
    try {
      return await work();
    } finally {
      this.#leave(owner);
    }
  }

  #may(owner: string): boolean {
    const { all, ofOwner } = this.#options;
    return this.#all < all && (this.#taken.get(owner) ?? 0) < ofOwner;
  }

  #take(owner: string): void {
    this.#all++;
    this.#taken.set(owner, (this.#taken.get(owner) ?? 0) + 1);
  }

  #leave(owner: string): void {
    this.#all--;
    const left = (this.#taken.get(owner) ?? 0) - 1;
    if (left > 0) this.#taken.set(owner, left);
    else this.#taken.delete(owner);
    this.#waiting.shift((next) => this.#may(next))?.();
  }

  /** Resolves once the request counts as running. */
  async #wait(owner: string): Promise<void> {
    const { waiting, patienceMs } = this.#options;
    if (this.#waiting.sizeOf(owner) >= waiting) throw this.#refusal(owner);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const enter = (): void => {
      clearTimeout(timer);
      this.#take(owner);
      resolve();
    };
    const timer = setTimeout(() => {
      this.#waiting.remove(owner, enter);
      reject(this.#refusal(owner));
    }, patienceMs);
    this.#waiting.push(owner, enter);
    return promise;
  }

  #refusal(owner: string): Problem {
    const { ofOwner, what } = this.#options;
    if ((this.#taken.get(owner) ?? 0) < ofOwner)
      return unavailable(`Too many requests ${what} at the moment: try again shortly.`);
    return new Problem(
      429,
      `${ofOwner} requests of one client ${what} at once and the others wait: send fewer at a time.`,
      { headers: { "retry-after": "1" } },
    );
  }
}
