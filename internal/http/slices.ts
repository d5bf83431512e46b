import { FairQueue } from "../service/fair-queue.ts";

/** How long one piece of work may hold the event loop, in ms. */
const sliceMs = 4;

/**
 * Makes long work of many requests take turns: in each turn of the event loop one of them runs for a slice, owners taking
 * turns, and short work runs in between. So bodies that cost far more to process than to send slow down their own client,
 * and others by a slice at most.
 */
export class Slices {
  /** Whether this turn's slice is taken. */
  #taken = false;
  readonly #waiting = new FairQueue<() => void>();

  /** One request's long work. */
  of(owner: string): Work {
    return new Work(() => this.#next(owner));
  }

  #next(owner: string): Promise<void> | undefined {
    if (!this.#taken) {
      this.#taken = true;
      setImmediate(this.#pass);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(owner, resolve);
    return promise;
  }

  readonly #pass = (): void => {
    const begin = this.#waiting.shift();
    this.#taken = begin !== undefined;
    if (begin === undefined) return;
    begin();
    setImmediate(this.#pass);
  };
}

/** Await it before each step: it waits for the next slice when the current one is used up. */
export class Work {
  readonly #next: () => Promise<void> | undefined;
  #until = 0;

  constructor(next: () => Promise<void> | undefined) {
    this.#next = next;
  }

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** Resolves when the work may go on. */
  async slice(): Promise<void> {
    await this.#next();
    this.#until = performance.now() + sliceMs;
  }
}
