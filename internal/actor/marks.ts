import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
} from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "nats";
import { isObject } from "../jetstream/api.ts";
import { openBucket } from "../jetstream/bucket.ts";
import type { Log } from "../service/log.ts";

/** A message, told from all others: the time too, because a stream that was made anew counts from 1 again. */
export interface Marked {
  readonly streamSequence: number;
  readonly storedAt: number;
}

/** What is known of one message that gave trouble. */
export interface Trouble {
  /** The workers that had it alone in hand and never laid it down, one after the other. */
  readonly workers: readonly string[];
  /** How often the step threw on it. */
  readonly failures: number;
}

export interface MarksOptions {
  readonly step: string;
  /** Of this process; no other has it, none before it had it. */
  readonly worker: string;
  readonly replicas: number;
  readonly log: Log;
}

const bucketName = "casino_in_hand";
const bucket = `KV_${bucketName}`;
/** Marks of the dead are wanted while their messages come again: minutes. */
const ttl = 3_600_000;
const maxBytes = 8 * 1024 * 1024;
const timeout = 2_000;
const removeAgainMs = 2_000;
const mostConflicts = 5;
const noTrouble: Trouble = { workers: [], failures: 0 };

/**
 * What workers have in hand, written down in the KV bucket `casino_in_hand` so that it outlives them: a mark is put there
 * before a step gets a message and removed when the step is done with it, whatever it said. A mark that stays is of a
 * worker that ended.
 *
 * `<step>.together.<worker>` lists the messages of a batch, `<step>.alone.<seq>` is one message that was alone in hand,
 * with every worker that ended over it. Where the bucket is out of reach the pipeline goes on without marks, and says so.
 */
export class Marks {
  readonly #nc: NatsConnection;
  readonly #options: MarksOptions;
  readonly #js: JetStreamClient;
  #opening: Promise<{ kv: KV; jsm: JetStreamManager }> | undefined;
  #isAway = false;
  /** Marks of others, as last seen. */
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

  /** The messages of batches that were in the hands of workers that ended, of those that may have. */
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

  /** They were alone in hand and nothing ended: takes them from the batches that the last `suspects` found. */
  async clear(seqs: ReadonlySet<number>): Promise<void> {
    for (const { key, revision, seqs: listed } of this.#others) {
      if (listed.isDisjointFrom(seqs)) continue;
      const left = listed.difference(seqs);
      // Changed meanwhile: another worker clears its own part of it, and this one is found again.
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

  /** What is known of this message; nothing where the bucket is out of reach. */
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

  /** The step is done with it: no worker has ended over it after all. Not to be left out: tried until it is done. */
  async layDownAlone(message: Marked): Promise<void> {
    const done = await this.#change(message, ({ failures }) => ({ workers: [], failures }));
    if (done === undefined && !this.#nc.isClosed())
      setTimeout(() => void this.layDownAlone(message), removeAgainMs).unref();
  }

  /** The step threw on it. @returns how often it has, in all processes; undefined when nobody can tell now */
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

  /** Replaces what is known of a message; removes it when there is nothing left to know. */
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
          if (!isConflict(err) || attempt === mostConflicts) throw err;
        }
      }
    });
  }

  /** Where the bucket is out of reach it gives `otherwise`; one that was deleted is made anew at the next use. */
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
 * Without a trace: what KV leaves of a deleted entry would be read again and again.
 * @param revision removes no later one
 */
async function remove(jsm: JetStreamManager, key: string, revision?: number): Promise<void> {
  const filter = `$KV.${bucketName}.${key}`;
  await jsm.streams.purge(bucket, revision === undefined ? { filter } : { filter, seq: revision + 1 });
}

/** Somebody else has changed the entry since it was read. */
function isConflict(err: unknown): boolean {
  return err instanceof JetStreamApiError && conflictCodes.includes(err.code);
}
const conflictCodes = [10071, 10164];

function unlessConflict(err: unknown): void {
  if (!isConflict(err)) throw err;
}

function readSeqs(text: string): ReadonlySet<number> {
  const listed = parse(text);
  return new Set(Array.isArray(listed) ? listed.filter((seq) => typeof seq === "number") : []);
}

function readTrouble(entry: KvEntry | null, { storedAt }: Marked): { trouble: Trouble; revision: number } {
  const revision = entry?.revision ?? 0;
  if (entry?.operation !== "PUT") return { trouble: noTrouble, revision };
  const known = parse(entry.string());
  const { at, workers, failures } = isObject(known) ? known : {};
  const isOurs = at === storedAt && Array.isArray(workers) && typeof failures === "number";
  return { trouble: isOurs ? { workers: workers.map(String), failures } : noTrouble, revision };
}

/** Our own JSON, normally; anybody else's text is nothing. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
