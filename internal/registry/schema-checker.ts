import type { FieldError } from "../casino/field-error.ts";
import type { Log } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import { CheckGroup, type Schema } from "./check-group.ts";
import { type CheckLimits, CheckWorker, type JobEnd } from "./check-worker.ts";

export interface CheckerOptions {
  readonly log: Log;
  /**
   * What happens to data for which the budget left no time: "refuse" says so to whoever waits for an answer; "wait"
   * rejects with `Unavailable` and delays the client's next data for ten times as long as these cost.
   */
  readonly beyondBudget: "refuse" | "wait";
  /** Default: the limits below. */
  readonly limits?: Partial<Limits>;
}

/** What checks may cost, in CPU time except for `patienceMs`. */
interface Limits extends CheckLimits {
  /** For what a client sends at once: a request, a batch. */
  readonly budgetMs: number;
  /** How long data wait for their turn. */
  readonly patienceMs: number;
}

const defaultLimits: Omit<Limits, "budgetMs"> = {
  datumMs: 200,
  compileMs: 5_000,
  heapMiB: 128,
  patienceMs: 5_000,
};

/** Shorter where others wait with each batch. */
const defaultBudgetMs = { refuse: 1_000, wait: 500 };

/** How long one client's data are checked before another client's turn. */
const sliceMs = 50;
const pauseFactor = 10;

/**
 * Checks the `data` of custom events in a thread of its own, so that the event loop goes on for everybody else.
 *
 * Clients take turns, a slice of time each: one client's expensive schema does not hold up another's. A datum that costs
 * more than its limit ends the thread and is refused, and the rest goes on in a new thread. A group that exceeds its
 * budget is not finished.
 */
export class SchemaChecker {
  readonly #options: CheckerOptions;
  readonly #limits: Limits;
  /** By client; the first has the next turn. */
  readonly #queues = new Map<string, CheckGroup[]>();
  /** Added in this turn of the event loop, by client. */
  readonly #gathering = new Map<string, CheckGroup>();
  /** Until when a client's data are delayed. */
  readonly #pausedUntil = new Map<string, number>();
  /** Schemas that could not be compiled in time, with the sentence about each. */
  readonly #uncompilable = new Map<string, readonly FieldError[]>();
  #worker: CheckWorker | undefined;
  /** The schemas that the worker has. */
  #known = new Set<string>();
  #forgotten: string[] = [];
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, budgetMs: defaultBudgetMs[options.beyondBudget], ...options.limits };
  }

  /**
   * What is wrong with data by a schema.
   * @throws Unavailable when that cannot be decided now
   */
  check(client: string, schema: Schema, data: unknown): Promise<readonly FieldError[]> {
    const known = this.#uncompilable.get(schema.digest);
    if (known !== undefined) return Promise.resolve(known);
    const pausedMs = (this.#pausedUntil.get(client) ?? 0) - performance.now();
    if (pausedMs > 0)
      return Promise.reject(
        new Unavailable(
          `the checks of client ${client}'s events have cost too much: the next is made in ${Math.ceil(pausedMs / 1_000)} s`,
        ),
      );
    this.#pausedUntil.delete(client);
    return this.#groupOf(client).add(schema, data);
  }

  /** Starts the thread, so that the first check need not wait for it. */
  warmUp(): void {
    this.#worker ??= new CheckWorker(this.#limits);
  }

  /** No type has this schema any more. */
  forget(digest: string): void {
    this.#uncompilable.delete(digest);
    if (this.#known.delete(digest)) this.#forgotten.push(digest);
  }

  /** Ends the thread; unfinished checks reject with `Unavailable`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.end();
    await this.#running;
  }

  #groupOf(client: string): CheckGroup {
    const found = this.#gathering.get(client);
    if (found !== undefined) return found;
    if (this.#gathering.size === 0) queueMicrotask(() => this.#gathered());
    const group = new CheckGroup();
    this.#gathering.set(client, group);
    return group;
  }

  #gathered(): void {
    for (const [client, group] of this.#gathering) {
      const queue = this.#queues.get(client);
      if (queue === undefined) this.#queues.set(client, [group]);
      else queue.push(group);
    }
    this.#gathering.clear();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { client, group } = next;
      const end = await this.#perform(group.slice());
      const uncompilable = group.settle(end);
      if (uncompilable !== undefined) this.#uncompilable.set(...uncompilable);
      if (end.ended !== undefined) this.#onEnd(client, group, end);
    }
  }

  /** Whose turn it is. Clients that have had or waited enough are settled on the way. */
  #next(): { readonly client: string; readonly group: CheckGroup } | undefined {
    const { budgetMs, patienceMs } = this.#limits;
    const stopping = new Unavailable("the process is stopping");
    for (const [client, groups] of this.#queues) {
      for (const group of groups) {
        if (this.#isClosed) group.reject(stopping);
        else if (performance.now() - group.since > patienceMs)
          group.leave(`its turn did not come within ${patienceMs} ms`, this.#options.beyondBudget);
        else if (group.spentMs > budgetMs && !group.isEmpty) {
          group.leave(`the checks of those before it took ${budgetMs} ms`, this.#options.beyondBudget);
          this.#pause(client, group);
        }
      }
      const left = groups.filter(({ isEmpty }) => !isEmpty);
      if (left.length === 0) this.#queues.delete(client);
      else this.#queues.set(client, left);
    }
    const [first] = this.#queues;
    if (first === undefined) return undefined;
    const [client, groups] = first;
    // To the end of the queue.
    this.#queues.delete(client);
    this.#queues.set(client, groups);
    const [group] = groups;
    return group === undefined ? undefined : { client, group };
  }

  async #perform(slice: ReturnType<CheckGroup["slice"]>): Promise<JobEnd> {
    this.warmUp();
    const worker = this.#worker;
    if (worker === undefined) return { decided: 0, refused: new Map(), tookMs: 0 };
    const schemas = new Map(
      slice.filter(({ digest }) => !this.#known.has(digest)).map(({ digest, schema }) => [digest, schema]),
    );
    for (const digest of schemas.keys()) this.#known.add(digest);
    const data = slice.map(({ type, digest, text }) => ({ type, digest, text }));
    return worker.perform({ schemas: [...schemas], forgotten: this.#forgotten.splice(0), data, sliceMs });
  }

  #onEnd(client: string, group: CheckGroup, { ended, tookMs }: JobEnd): void {
    this.#worker = undefined;
    this.#known = new Set();
    this.#forgotten = [];
    if (this.#isClosed) return;
    this.#options.log.warn(
      { client, ended, tookMs },
      "the check of an event's data was cut short: it cost too much",
    );
    if (ended !== "by itself" && this.#options.beyondBudget === "wait") {
      group.leave("that of one before it cost too much", this.#options.beyondBudget);
      this.#pause(client, group);
    }
    // At once, because the next event would have to wait for it.
    this.warmUp();
  }

  /** In the enricher others wait with each batch: this client may use a tenth of their time. */
  #pause(client: string, { spentMs }: CheckGroup): void {
    if (this.#options.beyondBudget === "wait")
      this.#pausedUntil.set(client, performance.now() + pauseFactor * spentMs);
  }
}
