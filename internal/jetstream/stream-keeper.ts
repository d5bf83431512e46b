import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { stageStream } from "../messages/subjects.ts";
import type { ReadyCheck } from "../service/health.ts";
import { type Log, reasonOf } from "../service/log.ts";
import { StreamMissing } from "./api.ts";
import { stateOf } from "./stream-state.ts";
import { ensureStreams, type Made, type StreamLimits } from "./topology.ts";

/** Least time between two checks while nothing is found missing: in a cluster without a leader everybody is refused. */
const firstGapMs = 1_000;
const longestGapMs = 4_000;
/**
 * How long a stream stays missing before it is recreated. nats-server 2.9 reports a stream as gone while it is still
 * removing its folder: a stream created meanwhile loses its files and stores nothing until the server is restarted.
 */
export const settleMs = 2_000;
/** A stream younger than this counts as just created: the broker's clock may differ from ours. */
const justNowMs = 10_000;

export interface StreamKeeperOptions {
  readonly nc: NatsConnection;
  readonly stages: readonly string[];
  readonly limits: StreamLimits;
  /** Also updates existing streams to the limits, once, at the opening: see `ensureStreams`. */
  readonly apply?: boolean;
  readonly log: Log;
}

/**
 * The streams that a service needs: created at its start where they are missing, and recreated when somebody deletes
 * one from the running system. Code that is refused because a stream is missing calls `restore`; readiness names the
 * stream meanwhile.
 */
export class StreamKeeper {
  readonly #options: StreamKeeperOptions;
  /** Each stream as last seen, where the server has reported it. */
  #known: ReadonlyMap<string, Made>;
  #restoring: Promise<void> | undefined;
  #notBefore = 0;
  #gapMs = firstGapMs;
  #failure: string | undefined;

  private constructor(options: StreamKeeperOptions, known: ReadonlyMap<string, Made>) {
    this.#options = options;
    this.#known = known;
  }

  /** Creates what is missing. @throws as `ensureStreams` */
  static async open(options: StreamKeeperOptions): Promise<StreamKeeper> {
    const { nc, stages, limits, apply = false } = options;
    return new StreamKeeper(options, await ensureStreams(nc, stages, limits, apply));
  }

  /**
   * Recreates missing streams after two seconds and logs it. Cheap enough to call for each refused message:
   * concurrent calls share one check, and checks keep their distance. Never throws.
   */
  async restore(): Promise<void> {
    if (this.#restoring === undefined && performance.now() < this.#notBefore) return;
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = undefined;
      this.#notBefore = performance.now() + this.#gapMs;
    });
    await this.#restoring;
  }

  /** Not ready while a stream is missing; it then recreates the stream. */
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
      await stateOf(this.#options.nc, name);
    } catch (err) {
      // Whether the broker answers at all is another check's concern.
      if (err instanceof StreamMissing) return name;
    }
    return undefined;
  }

  /** False for a stream that existed all the time: it holds something, or was never used and is no loss. */
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
      const why = reasonOf(err);
      if (this.#failure === undefined) log.warn({ err }, "streams cannot be made anew yet");
      this.#failure = why;
      this.#gapMs = Math.min(this.#gapMs * 2, longestGapMs);
    }
  }
}
