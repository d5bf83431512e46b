import { url as debuggerUrl } from "node:inspector";
import { Worker as Thread } from "node:worker_threads";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Log, LogLevel } from "../service/log.ts";
import { type InHand, mostPlaces, WatchdogBoard } from "./watchdog-board.ts";
import { inWords, type Place, type PlaceTaken, type ThreadSettings } from "./watchdog-terms.ts";

/**
 * How long the event loop may be blocked. Others get what it holds before that; if it goes on after all,
 * CASINO_EVENTS drops the copies.
 */
const blockedMs = 20_000;

/**
 * How long one call of a step may take: more than any bound of its I/O, of which a Postgres query with 17 s is the
 * longest.
 */
const stepTimeoutMs = 30_000;

/** A limit is this many looks of the thread, so that one late look does not matter. */
const looksPerLimit = 20;

export interface WatchdogOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly log: Log;
  /** Called when a call has taken too long, after its step was told: the process has to end. */
  readonly onStuck: (why: Error) => void;
  /** Default 20 s. */
  readonly blockedMs?: number;
  /** Default 30 s. */
  readonly stepTimeoutMs?: number;
}

/** One step's place: call `begin` and `end` around each of its calls, one at a time. */
export interface Watch {
  begin(deliveries: readonly Delivery[]): void;
  end(): void;
  close(): void;
}

/** Called when a call has taken too long, with what it has in hand. */
type OnStuck = (deliveries: readonly Delivery[]) => Promise<void>;

interface Entry extends Place {
  readonly onStuck: OnStuck;
  deliveries: readonly Delivery[];
}

/**
 * Ends a process whose step does not return. When a promise never settles, the process itself is told, which hands
 * back what it can. When the event loop is blocked, by an endless loop for example, the thread ends the process with
 * exit code 70 and one line that names the step, its messages and the place in the code.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #board = new WatchdogBoard();
  readonly #thread: Thread;
  readonly #beat: NodeJS.Timeout;
  readonly #entries: (Entry | undefined)[] = [];
  #calls = 0;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    const limits = { blockedMs, stepTimeoutMs, ...options };
    const stepMs = limits.blockedMs / looksPerLimit;
    const settings: ThreadSettings = {
      memory: this.#board.memory,
      service: options.service,
      level: options.level,
      stepMs,
      blockedMs: limits.blockedMs,
      blockedSteps: looksPerLimit,
      callSteps: Math.ceil(limits.stepTimeoutMs / stepMs),
    };
    this.#beat = setInterval(() => this.#board.beat(debuggerUrl() !== undefined), stepMs / 2).unref();
    this.#thread = new Thread(new URL("./watchdog-thread.ts", import.meta.url), { workerData: settings });
    this.#thread.unref();
    this.#thread.on("message", (place: number) => void this.#onStuck(place));
    this.#thread.on("error", (err) =>
      options.log.error({ err }, "the watchdog has died: steps are not watched"),
    );
  }

  /**
   * Puts a step under watch.
   * @param onStuck is awaited before the process is told to end
   * @throws Error when there are too many steps
   */
  watch({ step, stream }: Place, onStuck: OnStuck): Watch {
    const free = this.#entries.indexOf(undefined);
    const index = free < 0 ? this.#entries.length : free;
    if (index === mostPlaces) throw new Error(`a process has at most ${mostPlaces} steps`);
    const entry: Entry = { step, stream, onStuck, deliveries: [] };
    this.#entries[index] = entry;
    this.#thread.postMessage({ index, step, stream } satisfies PlaceTaken);
    return {
      begin: (deliveries) => {
        entry.deliveries = deliveries;
        this.#calls = (this.#calls % 2 ** 30) + 1;
        this.#board.begin(index, this.#calls, inHandOf(deliveries));
      },
      end: () => this.#board.end(index),
      close: () => {
        this.#board.end(index);
        this.#entries[index] = undefined;
      },
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    await this.#thread.terminate();
  }

  async #onStuck(index: number): Promise<void> {
    const place = this.#entries[index];
    if (place === undefined || this.#board.callAt(index) === 0) return;
    const { deliveries, onStuck } = place;
    const seconds = (this.#options.stepTimeoutMs ?? stepTimeoutMs) / 1000;
    const what = inWords({ ...place, ...inHandOf(deliveries) });
    await onStuck(deliveries);
    this.#options.onStuck(
      new Error(`no answer for ${seconds} s about ${what}: the process ends, what it held comes again`),
    );
  }
}

function inHandOf(deliveries: readonly Delivery[]): InHand {
  const messages = deliveries.length;
  return {
    first: deliveries[0]?.streamSequence ?? 0,
    last: deliveries[messages - 1]?.streamSequence ?? 0,
    messages,
  };
}
