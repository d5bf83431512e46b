import type { Log } from "../service/log.ts";
import { isUnavailable, Unavailable } from "../service/unavailable.ts";

interface PollingOptions {
  /** What is read, as the plural subject of a sentence: "the event types". */
  readonly what: string;
  /** The pause between two reads, in ms. */
  readonly everyMs: number;
  /** How long one statement may take, in ms. */
  readonly statementMs: number;
  /** Reads and takes over what has changed. @param bounds the signal for one more statement @throws Unavailable */
  readonly load: (bounds: () => AbortSignal) => Promise<void>;
  readonly log: Log;
}

/**
 * Keeps a small table in memory by reading it again and again, from its construction until it is closed. While Postgres
 * is away the last state stays in use, which the log says once.
 *
 * It polls instead of listening for notices: a query a second on a small table costs less than a connection of its own,
 * works through any pooler, sees manual changes, and needs no catching up after an outage.
 */
export class Polling {
  readonly #options: PollingOptions;
  readonly #stopping = new AbortController();
  #isLoaded = false;
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** Does not wait for the first read, so Postgres may start later. */
  constructor(options: PollingOptions) {
    this.#options = options;
    void this.#poll();
  }

  /** Why the last read failed; undefined when it succeeded. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Why nothing is known yet, else undefined: for readiness. */
  get problem(): string | undefined {
    if (this.#isLoaded) return undefined;
    return `${this.#options.what} are not loaded yet${this.#failure === undefined ? "" : `: ${this.#failure.message}`}`;
  }

  /** Reads the table after this call; if that fails, what was known stays. @throws Unavailable */
  refresh(): Promise<void> {
    // A running read may have begun before the change that the caller wants: only the next one counts.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const loading = this.#load();
      this.#running = loading.catch(() => undefined);
      return loading;
    });
    return this.#next;
  }

  /** Stops polling; resolves when no query is running. */
  async close(): Promise<void> {
    this.#stopping.abort(new Unavailable(`${this.#options.what} are not read any more: the process stops`));
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #poll(): Promise<void> {
    await this.refresh().catch(() => undefined);
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#poll(), this.#options.everyMs).unref();
  }

  async #load(): Promise<void> {
    const { what, statementMs, load, log } = this.#options;
    try {
      await load(() => AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(statementMs)]));
      this.#isLoaded = true;
      if (this.#failure !== undefined) log.info(`${what} are up to date again`);
      this.#failure = undefined;
    } catch (err) {
      const failure = err instanceof Error ? err : new Error(String(err));
      const said = `${what} cannot be read, and the last known ones stay in use`;
      if (this.#failure === undefined && !this.#stopping.signal.aborted)
        if (isUnavailable(err)) log.warn({ err }, `${said}: ${failure.message}`);
        else log.error({ err }, `${said}; this is a bug: ${failure.message}`);
      this.#failure = failure;
      throw err;
    }
  }
}
