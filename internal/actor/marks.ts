import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "nats";
import { hasCode, outrun } from "../jetstream/api-error.ts";
import { openBucket } from "../jetstream/bucket.ts";
import { isObject, readJson } from "../service/json.ts";
import type { Log } from "../service/log.ts";

/** Identifies a message. Includes the time, because a recreated stream counts from 1 again. */
export interface Marked {
  readonly streamSequence: number;
  readonly storedAt: number;
}

/** What is known of one message that caused trouble. */
export interface Trouble {
  /** The workers that ended with it alone in hand, in order. */
  readonly workers: readonly string[];
  /** How often the step threw on it. */
  readonly failures: number;
}

export interface MarksOptions {
  readonly step: string;
  /** This process's name, which no other process has or had. */
  readonly worker: string;
  readonly replicas: number;
  readonly log: Log;
}

const bucketName = "casino_in_hand";
const bucket = `KV_${bucketName}`;
/** Marks of dead workers matter while their messages come again: minutes. */
const ttl = 3_600_000;
const maxBytes = 8 * 1024 * 1024;
const timeout = 2_000;
const removeAgainMs = 2_000;
const mostConflicts = 5;
const noTrouble: Trouble = { workers: [], failures: 0 };

/**
 * What workers have in hand, recorded in the KV bucket `casino_in_hand` so that it outlives them: a mark is written
 * before a step gets a message and removed when the step returns or throws. A mark that stays belongs to a worker
 * that ended.
 *
 * `<step>.together.<worker>` lists the messages of a batch; `<step>.alone.<seq>` is a message that was alone in
 * hand, with every worker that ended over it. While the bucket is out of reach the pipeline goes on without marks and
 * says so.
 */
export class Marks {
  readonly #nc: NatsConnection;
  readonly #options: MarksOptions;
  readonly #js: JetStreamClient;
  #opening: Promise<{ kv: KV; jsm: JetStreamManager }> | undefined;
  #isAway = false;
  /** Marks of other workers, as last seen. */
  #others: readonly {
    readonly key: string;
    readonly revision: number;
    readonly seqs: ReadonlySet<number>;
  }[] = [];

  constructor(nc: NatsConnection, options: MarksOptions) {
    this.#nc = nc;
    this.#options = options;
    this.#js = jetstream(nc, { timeout });
  }

  /** Of these messages, those that were in a batch of a worker that ended. */
  async suspects(): Promise<ReadonlySet<number>> {
    this.#others = await this.#try([], async (kv, jsm) => {
      const filter = `$KV.${bucketName}.${this.#options.step}.together.*`;
      const { state } = await jsm.streams.info(bucket, { subjects_filter: filter });
      const keys = Object.keys(state.subjects ?? {}).map((subject) =>
        subject.slice(`$KV.${bucketName}.`.length),
      );
      const entries = await Promise.all(keys.filter((key) => key !== this.#mine).map((key) => kv.get(key)));
      return entries.flatMap((entry) =>
        entry === null ? [] : [{ key: entry.key, revision: entry.revision, seqs: readSeqs(entry.string()) }],
      );
    });
    return this.#others.reduce((all, { seqs }) => all.union(seqs), new Set<number>());
  }

  /** These were alone in hand and nothing ended: removes them from the batches that the last `suspects` found. */
  async clear(seqs: ReadonlySet<number>): Promise<void> {
    for (const { key, revision, seqs: listed } of this.#others) {
      if (listed.isDisjointFrom(seqs)) continue;
      const left = listed.difference(seqs);
      // Another worker changed it meanwhile to clear its own part; ours is found again.
      await this.#try(undefined, async (kv, jsm) => {
        if (left.size === 0) await remove(jsm, key, revision);
        else await kv.update(key, JSON.stringify([...left]), revision).catch(unlessConflict);
      });
    }
  }

  /** Marks a batch. One at a time. */
  async takeTogether(seqs: readonly number[]): Promise<void> {
    await this.#try(undefined, (kv) => kv.put(this.#mine, JSON.stringify(seqs)));
  }

  async layDownTogether(): Promise<void> {
    await this.#try(undefined, (_kv, jsm) => remove(jsm, this.#mine));
  }

  /** What is known of this message; nothing when the bucket is out of reach. */
  async trouble(message: Marked): Promise<Trouble> {
    return this.#try(
      noTrouble,
      async (kv) => readTrouble(await kv.get(this.#aloneKey(message)), message).trouble,
    );
  }

  /** Marks one message as alone in this worker's hand. */
  async takeAlone(message: Marked): Promise<void> {
    const { worker } = this.#options;
    await this.#change(message, ({ workers, failures }) => ({ workers: [...workers, worker], failures }));
  }

  /** The step is done with it and no worker ended. Must not be lost, so it is retried until it succeeds. */
  async layDownAlone(message: Marked): Promise<void> {
    const done = await this.#change(message, ({ failures }) => ({ workers: [], failures }));
    if (done === undefined && !this.#nc.isClosed())
      setTimeout(() => void this.layDownAlone(message), removeAgainMs).unref();
  }

  /** The step threw on it. @returns how often it has, in all processes; undefined when that is unknown */
  async countFailure(message: Marked): Promise<number | undefined> {
    const changed = await this.#change(message, ({ failures }) => ({ workers: [], failures: failures + 1 }));
    return changed?.failures;
  }

  get #mine(): string {
    return `${this.#options.step}.together.${this.#options.worker}`;
  }

  #aloneKey({ streamSequence }: Marked): string {
    return `${this.#options.step}.alone.${streamSequence}`;
  }

  /** Replaces what is known of a message; removes the entry when nothing is left. */
  #change(message: Marked, change: (known: Trouble) => Trouble): Promise<Trouble | undefined> {
    const key = this.#aloneKey(message);
    return this.#try(undefined, async (kv, jsm) => {
      for (let attempt = 1; ; attempt++) {
        const { trouble, revision } = readTrouble(await kv.get(key), message);
        const changed = change(trouble);
        try {
          if (changed.workers.length > 0 || changed.failures > 0)
            await kv.put(key, JSON.stringify({ at: message.storedAt, ...changed }), {
              previousSeq: revision,
            });
          else if (revision > 0) await remove(jsm, key, revision);
          return changed;
        } catch (err) {
          if (!hasCode(err, outrun) || attempt === mostConflicts) throw err;
        }
      }
    });
  }

  /** Returns `otherwise` while the bucket is out of reach. A deleted bucket is recreated at the next use. */
  async #try<T>(otherwise: T, work: (kv: KV, jsm: JetStreamManager) => Promise<T>): Promise<T> {
    const { log, replicas } = this.#options;
    this.#opening ??= open(this.#js, replicas);
    const mine = this.#opening;
    try {
      const { kv, jsm } = await mine;
      const result = await work(kv, jsm);
      this.#isAway = false;
      return result;
    } catch (err) {
      if (this.#opening === mine) this.#opening = undefined;
      if (!this.#isAway)
        log.warn({ err }, `${bucketName} is out of reach: events flow, but poison is not found`);
      this.#isAway = true;
      return otherwise;
    }
  }
}

async function open(js: JetStreamClient, replicas: number): Promise<{ kv: KV; jsm: JetStreamManager }> {
  const kv = await openBucket(js, bucketName, {
    description: "what steps have in hand that came again, to find what ends its worker",
    replicas,
    ttl,
    maxBytes,
  });
  return { kv, jsm: await js.jetstreamManager(false) };
}

/**
 * Removes without a trace: KV's own delete markers would be read again and again.
 * @param revision removes no later one
 */
async function remove(jsm: JetStreamManager, key: string, revision?: number): Promise<void> {
  const filter = `$KV.${bucketName}.${key}`;
  await jsm.streams.purge(bucket, revision === undefined ? { filter } : { filter, seq: revision + 1 });
}

/** Unless somebody else has changed the entry since it was read. */
function unlessConflict(err: unknown): void {
  if (!hasCode(err, outrun)) throw err;
}

function readSeqs(text: string): ReadonlySet<number> {
  const listed = readJson(text);
  return new Set(Array.isArray(listed) ? listed.filter((seq) => typeof seq === "number") : []);
}

function readTrouble(entry: KvEntry | null, { storedAt }: Marked): { trouble: Trouble; revision: number } {
  const revision = entry?.revision ?? 0;
  if (entry?.operation !== "PUT") return { trouble: noTrouble, revision };
  const known = readJson(entry.string());
  const { at, workers, failures } = isObject(known) ? known : {};
  const isOurs = at === storedAt && Array.isArray(workers) && typeof failures === "number";
  return { trouble: isOurs ? { workers: workers.map(String), failures } : noTrouble, revision };
}
