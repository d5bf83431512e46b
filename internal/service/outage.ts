import type { Log } from "./log.ts";
import { isUnavailable } from "./unavailable.ts";

/** How long nothing may fail before an outage is over: short recoveries belong to the same outage. */
const quietMs = 1_000;

/** One thing that is away. */
interface Lasting {
  problem: string;
  readonly since: number;
  /** Everything that failed and will be tried again. */
  readonly waiting: Set<unknown>;
  /** Runs while nothing waits; when it fires, the outage is over. */
  quiet: NodeJS.Timeout | undefined;
}

/**
 * What keeps events waiting, by cause (the step itself, or the stream that something is published to): logged once when
 * it begins and once when it is over, and shown by readiness meanwhile.
 *
 * It is over when everything that failed has succeeded, and nothing has failed for a second since. A single success among
 * many failures, as while a leader moves or when a full queue has room for one message, does not end it.
 */
export class Outage {
  readonly #log: Log;
  readonly #lasting = new Map<string, Lasting>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A sentence while it lasts, else undefined. */
  get problem(): string | undefined {
    for (const { problem } of this.#lasting.values()) return problem;
    return undefined;
  }

  /**
   * An attempt failed. A failure that is no outage is a bug and logged as an error.
   * @param who will try again: call `succeeded` with the same value, unless the process stops
   * @returns how many attempts, with the usual back-off, fit into the time this cause has lasted, so that pauses grow with the
   * outage, and not only with the attempts of one event
   */
  failed(cause: string, who: unknown, err: Error, expected = isUnavailable(err)): number {
    let lasting = this.#lasting.get(cause);
    if (lasting === undefined) {
      if (expected) this.#log.warn({ err }, `events wait: ${err.message}`);
      else this.#log.error({ err }, `events wait, this is a bug: ${err.message}`);
      lasting = { problem: "", since: performance.now(), waiting: new Set(), quiet: undefined };
      this.#lasting.set(cause, lasting);
    }
    clearTimeout(lasting.quiet);
    lasting.quiet = undefined;
    lasting.problem = err.message;
    lasting.waiting.add(who);
    return attemptsWithin(performance.now() - lasting.since);
  }

  /** What had failed has succeeded, or at least what was away has answered. */
  succeeded(cause: string, who: unknown): void {
    const lasting = this.#lasting.get(cause);
    if (lasting === undefined || !lasting.waiting.delete(who) || lasting.waiting.size > 0) return;
    lasting.quiet = setTimeout(() => {
      this.#lasting.delete(cause);
      if (this.#lasting.size === 0) this.#log.info("events flow again");
    }, quietMs).unref();
  }
}

/** How many pauses, doubling from a quarter of a second, fit into this time. */
function attemptsWithin(ms: number): number {
  return 1 + Math.floor(Math.log2(1 + ms / 250));
}
