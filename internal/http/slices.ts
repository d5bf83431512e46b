import { FairQueue } from "../service/fair-queue.ts";

/** How long one piece of work may have the event loop, in ms. */
const sliceMs = 4;

/**
 * Lets long work of many requests take turns: in each pass of the event loop one of them goes on for a slice, by turns of
 * their owners, and what is short is done in between. So bodies that cost much more than they cost to send slow down those of
 * their own client, and others by a slice.
 */
export class Slices {
  /** Whether this pass has its slice already. */
  #taken = false;
  readonly #waiting = new FairQueue<() => void>();

  /** Long work of one request. */
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

/** Asks before each step whether its slice is over, and if so awaits the next one. */
export class Work {
  readonly #next: () => Promise<void> | undefined;
  #until = 0;

  constructor(next: () => Promise<void> | undefined) {
    this.#next = next;
  }

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** Resolves when it may go on. */
  async slice(): Promise<void> {
    await this.#next();
    this.#until = performance.now() + sliceMs;
  }
}
