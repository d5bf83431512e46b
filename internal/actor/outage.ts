import type { Log } from "../log.ts";
import { isUnavailable } from "../unavailable.ts";

/** What keeps events waiting: said once in the log when it begins and once when it is over, shown by readiness meanwhile. */
export class Outage {
  readonly #log: Log;
  #problem: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A sentence while it lasts, else undefined. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** An attempt failed; a failure that is no outage of anything is a bug and said louder. */
  began(err: Error, expected = isUnavailable(err)): void {
    if (this.#problem === undefined) {
      if (expected) this.#log.warn({ err }, `events wait: ${err.message}`);
      else this.#log.error({ err }, `events wait, this is a bug: ${err.message}`);
    }
    this.#problem = err.message;
  }

  /** An attempt succeeded. */
  over(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#log.info("events flow again");
  }
}
