/**
 * Who may run step code in this process now: many calls together, or one alone. A call that asks to be alone waits
 * until the others have ended, and later ones wait for it. Waits are short, because a step's call is bounded.
 */
export class Turns {
  #together = 0;
  /** Settles when the call that is alone, or waits to be, has ended. */
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
