import type { NatsConnection } from "nats";
import { pauseAfter } from "../service/back-off.ts";
import type { Log } from "../service/log.ts";
import { Outage } from "../service/outage.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { Mailbox, type MailboxOptions } from "./mailbox.ts";
import type { StreamKeeper } from "./stream-keeper.ts";
import { UntilStored } from "./until-stored.ts";

/**
 * How long work may go on after a stop before its I/O is cut. The rest of the 10 s is for handing messages back, and for
 * closing Redis, Postgres and NATS where all of them hang.
 */
const graceMs = 5_000;

export interface ReaderOptions {
  readonly nc: NatsConnection;
  readonly log: Log;
  /** Recreates a consumer's stream when somebody deletes it; default: it stays missing until someone else does. */
  readonly streams?: Pick<StreamKeeper, "restore"> | undefined;
}

export interface HoldOptions {
  /** Whether the call would fail in the same way again. Default: nothing is away, so it is a bug. */
  readonly isFinal?: (err: unknown) => boolean;
  /** Ends the attempts. Default: `stopping`. */
  readonly until?: AbortSignal;
}

/**
 * Reads durable consumers: what a step's loop, the archiver, the logger and the sender have in common. It opens their
 * mailboxes, repeats work while something is away, and stops gracefully: it settles what is in hand, or hands it back when
 * time runs out.
 */
export class Reader {
  readonly #name: string;
  readonly #options: ReaderOptions;
  readonly #mailboxes: Mailbox[] = [];
  readonly #outage: Outage;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  /** Publishes for as long as it takes, or until the reader stops. */
  readonly untilStored: UntilStored;
  #work: Promise<unknown> = Promise.resolve();
  #isAbandoned = false;
  #stopped: Promise<void> | undefined;

  /** @param name for the reasons of its signals */
  constructor(name: string, options: ReaderOptions) {
    this.#name = name;
    this.#options = options;
    this.#outage = new Outage(options.log);
    this.untilStored = new UntilStored({ stopping: this.stopping, outage: this.#outage });
  }

  /** Opens the mailbox of a durable consumer; a reader may have several. @throws Error when the consumer cannot be created */
  async open(options: Omit<MailboxOptions, "log" | "streams">): Promise<Mailbox> {
    const { nc, log, streams } = this.#options;
    const mailbox = await Mailbox.open(nc, { ...options, log, streams });
    this.#mailboxes.push(mailbox);
    return mailbox;
  }

  /** Names the work that a stop waits for: it takes from the mailboxes, and ends when they stop. */
  run(work: Promise<unknown>): void {
    this.#work = work;
  }

  /** Aborted once the mailboxes take no more messages: ends waits between attempts. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted when time runs out: goes to every I/O call. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** What is away and keeps messages waiting, or why none can be pulled; else undefined. */
  get problem(): string | undefined {
    return this.#outage.problem ?? this.#mailboxes.map(({ problem }) => problem).find((problem) => problem);
  }

  /**
   * Makes a call, again and again with pauses while something is away, however long that lasts.
   * @param what tells outages apart: what fails for one reason has one name
   * @param who waits: an object of this call
   * @returns whether it succeeded; if not, the process stops and `who` has to be handed back
   * @throws what the call throws, where it `isFinal`
   */
  async hold(
    what: string,
    who: object,
    call: () => Promise<void>,
    { isFinal = (err) => !isUnavailable(err), until = this.stopping }: HoldOptions = {},
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await call();
        this.#outage.succeeded(what, who);
        return true;
      } catch (err) {
        if (until.aborted || this.cut.aborted) return false;
        if (isFinal(err)) {
          this.#outage.succeeded(what, who); // nothing is away
          throw err;
        }
        const cause = err instanceof Error ? err : new Error(String(err));
        const lasts = this.#outage.failed(what, who, cause);
        await pauseAfter(Math.max(attempt, lasts), until);
        if (until.aborted) return false;
      }
    }
  }

  /** Says that the work will settle nothing more: a stop then hands back what is held without waiting. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Resolves when everything taken is settled or handed back. Called again, it waits for the same. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const grace = setTimeout(() => this.#cut.abort(new Error(`${this.#name} has no time left`)), graceMs);
    const noTime = new Promise((resolve) => this.cut.addEventListener("abort", resolve, { once: true }));
    await Promise.race([this.#settleAll(), noTime]);
    clearTimeout(grace);
    this.#stopping.abort();
    for (const mailbox of this.#mailboxes) mailbox.close();
  }

  async #settleAll(): Promise<void> {
    // Before anything is handed back: a pull request of this process that is still open would only fetch it again.
    await Promise.all(this.#mailboxes.map((mailbox) => mailbox.stop()));
    this.#stopping.abort(new Error(`${this.#name} is stopping`));
    if (!this.#isAbandoned) await this.#work;
    if (this.#isAbandoned) this.#cut.abort(new Error(`${this.#name} does not come back`));
    else await Promise.all(this.#mailboxes.map((mailbox) => mailbox.allSettled()));
  }
}
