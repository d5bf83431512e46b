/**
 * Who in this process may run step code now: many together, or one alone. Whoever asks to be alone waits until the others
 * are out, and later ones wait for it. Nothing here is a queue for long: a call of a step is bounded.
 */
export class Turns {
  #together = 0;
  /** Settles when the one that is alone, or waits to be, is done. */
  #alone: Promise<void> | undefined;
  #lastIsOut: (() => void) | undefined;

  async together<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    this.#together++;
    try {
      return await work();
    } finally {
      if (--this.#together === 0) this.#lastIsOut?.();
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      if (this.#together > 0)
        await new Promise<void>((out) => {
          this.#lastIsOut = out;
        });
      return await work();
    } finally {
      this.#alone = undefined;
      this.#lastIsOut = undefined;
      resolve();
    }
  }
}
