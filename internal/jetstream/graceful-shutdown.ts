import { pauseAfter } from "../service/back-off.ts";
import type { Mailbox } from "./mailbox.ts";

/**
 * How long work may go on after a stop before its I/O is cut. The rest of the 10 s is for handing messages back, and for
 * closing Redis, Postgres and NATS where all of them hang.
 */
const graceMs = 5_000;

/** A mailbox, or several that stop together. */
export type Stoppable = Pick<Mailbox, "stop" | "allSettled" | "close">;

/** Stops a loop over a mailbox: settles what is in flight, or hands it back when time runs out. */
export class GracefulShutdown {
  readonly #name: string;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  #isAbandoned = false;

  /** @param name of the loop, for the reasons of its signals */
  constructor(name: string) {
    this.#name = name;
  }

  /** Aborted once the mailbox takes no more messages: ends waits between attempts. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted when time runs out: goes to every I/O call. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** Says that the loop will settle nothing more: a stop then hands back what is held without waiting. */
  abandonLoop(): void {
    this.#isAbandoned = true;
  }

  /** Resolves when everything taken is settled or handed back. @param loop takes from the mailbox and ends when that stops */
  async settle(mailbox: Stoppable, loop: Promise<void>): Promise<void> {
    const grace = setTimeout(() => this.#cut.abort(new Error(`${this.#name} has no time left`)), graceMs);
    const noTime = new Promise((resolve) => this.cut.addEventListener("abort", resolve, { once: true }));
    await Promise.race([this.#settleAll(mailbox, loop), noTime]);
    clearTimeout(grace);
    this.#stopping.abort();
    mailbox.close();
  }

  async #settleAll(mailbox: Stoppable, loop: Promise<void>): Promise<void> {
    // Before anything is handed back: a pull request of this process that is still open would only fetch it again.
    await mailbox.stop();
    this.#stopping.abort(new Error(`${this.#name} is stopping`));
    if (!this.#isAbandoned) await loop;
    if (this.#isAbandoned) this.#cut.abort(new Error(`${this.#name} does not come back`));
    else await mailbox.allSettled();
  }

  /** The back-off after a failed attempt; a stop ends it early. */
  async pauseAfter(attempt: number): Promise<void> {
    await pauseAfter(attempt, this.stopping);
  }
}
