import { setTimeout as sleep } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import { type FieldError, fieldError } from "../casino/field-error.ts";
import {
  type Done,
  indexAt,
  isCompiling,
  type Job,
  notBegun,
  type Refused,
  type ThreadSettings,
} from "./check-terms.ts";

/** What one check may cost. */
export interface CheckLimits {
  /** CPU time for one datum. */
  readonly datumMs: number;
  /** CPU time to compile a schema. */
  readonly compileMs: number;
  /** Of the thread's heap. */
  readonly heapMiB: number;
}

export interface JobEnd {
  /** How many of its data, from the first, are decided: refused as `refused` says by index, otherwise valid. */
  readonly decided: number;
  readonly refused: ReadonlyMap<number, readonly FieldError[]>;
  /** Of the processor. */
  readonly tookMs: number;
  /** Why the thread has ended; undefined while it can take another job. */
  readonly ended?: "datum" | "compile" | "by itself";
}

/** How often the thread is looked at while it works. */
const lookMs = 20;

/**
 * A thread that checks data against schemas, and is ended when a check costs too much: nothing else can stop a running
 * check, and on the main thread everybody would wait for it. Costs are CPU time: on a busy machine a check takes longer
 * without costing more.
 */
export class CheckWorker {
  readonly #limits: CheckLimits;
  readonly #place = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #thread: Thread;
  #isGone = false;
  #failure: Error | undefined;
  #onMessage: (message: Refused | Done) => void = () => undefined;
  #onGone: () => void = () => undefined;

  constructor(limits: CheckLimits) {
    this.#limits = limits;
    Atomics.store(this.#place, 0, notBegun);
    const settings: ThreadSettings = { place: this.#place.buffer };
    this.#thread = new Thread(new URL("./check-thread.ts", import.meta.url), {
      workerData: settings,
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMiB },
    });
    this.#thread.on("message", (message: Refused | Done) => this.#onMessage(message));
    this.#thread.on("error", (err) => {
      this.#failure = err instanceof Error ? err : new Error(String(err));
    });
    this.#thread.once("exit", () => {
      this.#isGone = true;
      this.#onGone();
    });
    // It should not keep the process alive: whoever waits for a check has something else open.
    this.#thread.unref();
  }

  /** Does a job, or as much of it as fits into its slice and the limits. One job at a time. */
  async perform(job: Job): Promise<JobEnd> {
    const refused = new Map<number, readonly FieldError[]>();
    const { promise, resolve } = Promise.withResolvers<Done | "gone" | number>();
    this.#onMessage = (message) => {
      if ("index" in message) refused.set(message.index, message.errors);
      else resolve(message);
    };
    this.#onGone = () => resolve("gone");
    // Its position in the job before.
    Atomics.store(this.#place, 0, notBegun);
    if (this.#isGone) resolve("gone");
    else this.#thread.postMessage(job);
    const settled = new AbortController();
    void this.#overrun(settled.signal).then((place) => {
      if (place !== undefined) resolve(place);
    });
    const end = await promise;
    settled.abort();
    if (typeof end === "object") return { decided: end.checked, refused, tookMs: end.tookMs };
    return this.#cutShort(job, refused, end === "gone" ? undefined : end);
  }

  /** Ends the thread, whatever it is doing. */
  async end(): Promise<void> {
    await this.#thread.terminate();
  }

  get #at(): number {
    return Atomics.load(this.#place, 0);
  }

  /** The position at which the thread has been for too long; undefined once the job is `settled`. */
  async #overrun(settled: AbortSignal): Promise<number | undefined> {
    let seen = notBegun;
    let since = 0;
    for (;;) {
      await sleep(lookMs, undefined, { signal: settled }).catch(() => undefined);
      if (settled.aborted) return undefined;
      const place = this.#at;
      const used = await this.#used();
      if (place === notBegun || place !== seen) {
        seen = place;
        since = used;
      } else if (used - since > this.#limitAt(place) && place === this.#at) return place;
    }
  }

  #limitAt(place: number): number {
    return isCompiling(place) ? this.#limits.compileMs : this.#limits.datumMs;
  }

  /** The thread's CPU time in ms; available while it is busy, too. */
  async #used(): Promise<number> {
    try {
      const { user, system } = await this.#thread.cpuUsage();
      return (user + system) / 1_000;
    } catch {
      // It has ended; that is reported elsewhere.
      return 0;
    }
  }

  /** @param culprit the position at which it had been for too long */
  async #cutShort(
    { data }: Job,
    refused: Map<number, readonly FieldError[]>,
    culprit?: number,
  ): Promise<JobEnd> {
    await this.end();
    // Everything it sent before its end has arrived by now.
    const place = this.#at;
    const at = indexAt(place);
    const tookMs = culprit === undefined ? 0 : this.#limitAt(culprit);
    // It may have gone on meanwhile, or not have started: then nobody is to blame, and the rest is tried again.
    if (place === notBegun || (culprit !== undefined && culprit !== place))
      return { decided: Math.max(at, 0), refused, tookMs, ended: "by itself" };
    // When the search for all errors took too long, the first one is enough.
    if (!refused.has(at)) {
      const because = this.#because(data[at]?.type ?? "", place, culprit);
      refused.set(at, [fieldError("", `cannot be checked: ${because}`)]);
    }
    return { decided: at + 1, refused, tookMs, ended: isCompiling(place) ? "compile" : "datum" };
  }

  #because(type: string, place: number, culprit: number | undefined): string {
    const { datumMs, compileMs, heapMiB } = this.#limits;
    if (culprit !== undefined && isCompiling(place))
      return `to compile the schema of ${type} takes more than ${compileMs} ms`;
    if (culprit !== undefined) return `the schema of ${type} makes that cost more than ${datumMs} ms`;
    const failure = this.#failure;
    if (failure !== undefined && "code" in failure && failure.code === "ERR_WORKER_OUT_OF_MEMORY")
      return `the schema of ${type} makes that cost more than ${heapMiB} MiB of memory`;
    return failure?.message ?? "the thread of the checks has ended";
  }
}
