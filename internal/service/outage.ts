import type { Log } from "./log.ts";
import { isUnavailable } from "./unavailable.ts";

/** How long nothing may be refused before it counts as over: what comes and goes meanwhile is one outage. */
const quietMs = 1_000;

/** One thing that is away. */
interface Lasting {
  problem: string;
  readonly since: number;
  /** Whatever was refused and has to be tried again. */
  readonly waiting: Set<unknown>;
  /** Runs while nothing waits any more. */
  quiet: NodeJS.Timeout | undefined;
}

/**
 * What keeps events waiting, by cause (the step itself, or the stream something is published to): said once in the log when
 * it begins and once when all of it is over, shown by readiness meanwhile.
 *
 * It is over when everything that was refused has succeeded, and nothing was refused for a second since. One success among
 * many refusals, as while a leader moves or where a full queue has room for one more, ends nothing.
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
   * An attempt failed; a failure that is no outage of anything is a bug and said louder.
   * @param who is to try again: `succeeded` must be told of the same one, unless the process stops
   * @returns for how many attempts this cause lasts, were each made after the usual back-off: pauses grow over the outage, not
   *   only over the attempts of one event
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

  /** What had failed is done now, or at least what was away has answered. */
  succeeded(cause: string, who: unknown): void {
    const lasting = this.#lasting.get(cause);
    if (lasting === undefined || !lasting.waiting.delete(who) || lasting.waiting.size > 0) return;
    lasting.quiet = setTimeout(() => {
      this.#lasting.delete(cause);
      if (this.#lasting.size === 0) this.#log.info("events flow again");
    }, quietMs).unref();
  }
}

/** Pauses double from a quarter of a second on: so many of them fit. */
function attemptsWithin(ms: number): number {
  return 1 + Math.floor(Math.log2(1 + ms / 250));
}
