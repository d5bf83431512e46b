import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { stageStream } from "../messages/subjects.ts";
import type { ReadyCheck } from "../service/health.ts";
import type { Log } from "../service/log.ts";
import { askBroker, StreamMissing } from "./api.ts";
import { ensureStreams, type Made, type StreamLimits } from "./topology.ts";

/** Least time between two looks, while they find nothing missing: in a cluster whose leader is gone everybody is refused. */
const firstGapMs = 1_000;
const longestGapMs = 4_000;
/**
 * How long a stream stays missing before it is made anew. nats-server 2.9 says that it is gone while it still removes its
 * folder: a stream made meanwhile loses its files, and takes no message until the server is restarted.
 */
export const settleMs = 2_000;
/** How old a stream may be that was made a moment ago, by a broker whose clock is not ours. */
const justNowMs = 10_000;

export interface StreamKeeperOptions {
  readonly nc: NatsConnection;
  readonly stages: readonly string[];
  readonly limits: StreamLimits;
  /** Brings existing streams to the limits, once, at the opening: see `ensureStreams`. */
  readonly apply?: boolean;
  readonly log: Log;
}

/**
 * The streams that a service needs: made at its start where they are missing, and made anew where somebody deletes one under
 * the running system. Whoever is refused for want of a stream calls `restore`; readiness names the stream meanwhile.
 */
export class StreamKeeper {
  readonly #options: StreamKeeperOptions;
  /** Each stream as it was last seen, where the server has told. */
  #known: ReadonlyMap<string, Made>;
  #restoring: Promise<void> | undefined;
  #notBefore = 0;
  #gapMs = firstGapMs;
  #failure: string | undefined;

  private constructor(options: StreamKeeperOptions, known: ReadonlyMap<string, Made>) {
    this.#options = options;
    this.#known = known;
  }

  /** Makes what is missing. @throws as `ensureStreams` */
  static async open(options: StreamKeeperOptions): Promise<StreamKeeper> {
    const { nc, stages, limits, apply = false } = options;
    return new StreamKeeper(options, await ensureStreams(nc, stages, limits, apply));
  }

  /**
   * Makes missing streams anew after two seconds, and says so. For whoever was refused: cheap to call for each message, as calls at the same
   * time share one look, and looks keep their distance. Never throws.
   */
  async restore(): Promise<void> {
    if (this.#restoring === undefined && performance.now() < this.#notBefore) return;
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = undefined;
      this.#notBefore = performance.now() + this.#gapMs;
    });
    await this.#restoring;
  }

  /** Not ready while one of the stages' streams is missing, which it then makes anew. */
  readonly check: ReadyCheck = async () => {
    const looks = await Promise.all(this.#options.stages.map((stage) => this.#isMissing(stageStream(stage))));
    const missing = looks.filter((name) => name !== undefined);
    if (missing.length === 0) return undefined;
    void this.restore();
    const what =
      missing.length === 1 ? `stream ${missing[0]} is missing` : `streams ${missing.join(", ")} are missing`;
    return this.#failure === undefined ? `${what} and made anew` : `${what}: ${this.#failure}`;
  };

  async #isMissing(name: string): Promise<string | undefined> {
    try {
      await askBroker(this.#options.nc, `STREAM.INFO.${name}`);
    } catch (err) {
      // Whether the broker answers at all is another check's question.
      if (err instanceof StreamMissing) return name;
    }
    return undefined;
  }

  /** Not one that existed all the while: that holds something, or was never used and is no loss. */
  #isAnew(name: string, { created, isUnused }: Made): boolean {
    const before = this.#known.get(name);
    return isUnused && before?.created !== created && Math.abs(Date.now() - Date.parse(created)) < justNowMs;
  }

  async #restore(): Promise<void> {
    const { nc, stages, limits, log } = this.#options;
    await sleep(settleMs);
    try {
      const made = await ensureStreams(nc, stages, limits);
      const anew = [...made].filter(([name, stream]) => this.#isAnew(name, stream)).map(([name]) => name);
      this.#known = new Map([...this.#known, ...made]);
      this.#failure = undefined;
      this.#gapMs = anew.length > 0 ? firstGapMs : Math.min(this.#gapMs * 2, longestGapMs);
      for (const stream of anew)
        log.warn({ stream }, `stream ${stream} was missing and is made anew; what it held is gone`);
    } catch (err) {
      const why = err instanceof Error ? err.message : String(err);
      if (this.#failure === undefined) log.warn({ err }, "streams cannot be made anew yet");
      this.#failure = why;
      this.#gapMs = Math.min(this.#gapMs * 2, longestGapMs);
    }
  }
}
