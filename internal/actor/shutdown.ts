import type { Mailbox } from "../jetstream/mailbox.ts";
import { pauseAfter } from "../service/back-off.ts";

/**
 * How long a batch may go on after a stop before its I/O is cut. The rest of the 10 s is for handing back, and for saying
 * goodbye to Redis, Postgres and NATS where all of them hang.
 */
const graceMs = 5_000;

/** What is to be stopped: a mailbox, or several as one. */
export type Stoppable = Pick<Mailbox, "stop" | "allSettled" | "close">;

/** The stop of a loop over a mailbox: settles what is in flight, or hands it back when there is no more time. */
export class GracefulShutdown {
  readonly #name: string;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  #isAbandoned = false;

  /** @param name of what stops, for its signals' reasons */
  constructor(name: string) {
    this.#name = name;
  }

  /** Aborted once the mailbox takes no more: ends waits between attempts. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted when there is no more time: goes to every I/O call. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** The loop does not come back: at a stop there is nothing to wait for. */
  abandonLoop(): void {
    this.#isAbandoned = true;
  }

  /** Resolves when everything taken is settled or handed back; `loop` is the loop that takes from the mailbox. */
  async settle(mailbox: Stoppable, loop: Promise<void>): Promise<void> {
    const grace = setTimeout(() => this.#cut.abort(new Error(`${this.#name} has no time left`)), graceMs);
    const noTime = new Promise((resolve) => this.cut.addEventListener("abort", resolve, { once: true }));
    await Promise.race([this.#settleAll(mailbox, loop), noTime]);
    clearTimeout(grace);
    this.#stopping.abort();
    mailbox.close();
  }

  async #settleAll(mailbox: Stoppable, loop: Promise<void>): Promise<void> {
    // First of all: what is handed back while a pull request of this process still waits would come to it again.
    await mailbox.stop();
    this.#stopping.abort(new Error(`${this.#name} is stopping`));
    if (this.#isAbandoned) return this.#cut.abort(new Error(`${this.#name} does not come back`));
    await loop;
    await mailbox.allSettled();
  }

  /** The back-off after an attempt at what is away; a stop ends it early. */
  async pauseAfter(attempt: number): Promise<void> {
    await pauseAfter(attempt, this.stopping);
  }
}
