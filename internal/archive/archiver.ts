import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { backOff } from "../actor/back-off.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { finalStage, stageFilter, stageStream } from "../jetstream/subjects.ts";
import type { Durable } from "../jetstream/topology.ts";
import type { Log } from "../log.ts";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { isUnavailable } from "../unavailable.ts";
import { batches } from "./batches.ts";
import { insertRows, refusalOf } from "./insert.ts";
import { type DeliveredRow, type Refusal, readRow } from "./row.ts";
import { setAsideWith } from "./set-aside.ts";

export const archiverDurable: Durable = {
  stream: stageStream(finalStage),
  name: "archiver",
  filter: stageFilter(finalStage),
  // Over all archivers; each holds at most `capacity`.
  maxAckPending: 20_000,
};

/** Rows of one insert: with more, a row costs no less. */
const batchSize = 1_000;
const capacity = 4_000;
/** How long the first event of a batch waits for others. */
const lingerMs = 50;
/** Bytes of one insert: an event may have a megabyte, a statement must not have a gigabyte. */
const maxInsertBytes = 8 * 2 ** 20;
/** At a stop, how long an insert may go on before it is cut; the rest of the 10 s is for handing back. */
const stopGraceMs = 6_000;
/** While Postgres is away: the longest pause between attempts, so that rows flow again soon after it is back. */
const longestAttemptGap = 5;

export interface ArchiverOptions {
  readonly nc: NatsConnection;
  readonly db: Database;
  readonly publisher: Publisher;
  readonly log: Log;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number;
}

/**
 * Keeps every final event as a row, once: inserts a batch, and acknowledges it after the commit. What comes again finds
 * its row there. Any number of archivers share one durable consumer.
 *
 * While Postgres is away it holds what it has and takes no more. A row that Postgres refuses for its values is set
 * aside alone, the rest of its batch goes in.
 */
export class Archiver {
  readonly #db: Database;
  readonly #log: Log;
  readonly #mailbox: Mailbox;
  readonly #setAside: (delivery: Delivery, refusal: Refusal) => Promise<void>;
  /** Aborted at a stop: ends waits between attempts. */
  readonly #stopping = new AbortController();
  /** Aborted when a stop has no more time: cuts I/O. */
  readonly #cut = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  private constructor({ db, log, publisher }: ArchiverOptions, mailbox: Mailbox) {
    this.#db = db;
    this.#log = log;
    this.#mailbox = mailbox;
    const stopping = this.#stopping.signal;
    this.#setAside = setAsideWith({ step: archiverDurable.name, mailbox, publisher, log, stopping });
  }

  /** Opens the mailbox and starts to archive. @throws Error when the consumer cannot be created */
  static async start(options: ArchiverOptions): Promise<Archiver> {
    const { nc, log, ackWaitMs } = options;
    const durable = { ...archiverDurable, ...(ackWaitMs === undefined ? {} : { ackWaitMs }) };
    const mailbox = await Mailbox.open(nc, { durable, log, batch: batchSize, capacity });
    const archiver = new Archiver(options, mailbox);
    archiver.#loop = archiver.#archive();
    return archiver;
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#problem ?? this.#mailbox.problem;
  }

  /** Settles what is in flight or hands it back. */
  async stop(): Promise<void> {
    const grace = setTimeout(() => this.#cut.abort(new Error("no time left")), stopGraceMs);
    await Promise.race([
      this.#settleAll(),
      new Promise((resolve) => this.#cut.signal.addEventListener("abort", resolve, { once: true })),
    ]);
    clearTimeout(grace);
    this.#stopping.abort();
    this.#mailbox.close();
  }

  async #settleAll(): Promise<void> {
    // First of all: what is handed back while a pull request of this process still waits would come to it again.
    await this.#mailbox.stop();
    this.#stopping.abort(new Error("the archiver is stopping"));
    await this.#loop;
    await this.#mailbox.allSettled();
  }

  /** Reads a batch while the one before is inserted. */
  async #archive(): Promise<void> {
    let storing = Promise.resolve();
    for await (const batch of batches(this.#mailbox, { size: batchSize, lingerMs })) {
      const rows = this.#read(batch);
      await storing;
      storing = this.#storeAll(rows);
    }
    await storing;
  }

  /** The rows of a batch; what cannot be one is set aside on the way. */
  #read(batch: readonly Delivery[]): readonly DeliveredRow[] {
    const rows: DeliveredRow[] = [];
    for (const delivery of batch) {
      const row = readRow(delivery);
      if ("reason" in row) void this.#setAside(delivery, row);
      else rows.push(row);
    }
    return rows;
  }

  async #storeAll(rows: readonly DeliveredRow[]): Promise<void> {
    for (const part of partsOf(rows)) await this.#store(part);
  }

  /** Inserts the rows and settles each of them, however long it takes; hands them back when the process stops first. */
  async #store(rows: readonly DeliveredRow[]): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted || attempt === 1; attempt++) {
      try {
        const added = await insertRows(this.#db, rows, this.#cut.signal);
        this.#works();
        this.#log.debug({ rows: rows.length, added }, "archived");
        for (const { delivery } of rows) this.#mailbox.ack(delivery);
        return;
      } catch (err) {
        const refusal = refusalOf(err);
        if (refusal !== undefined) return this.#storeApart(rows, refusal);
        this.#fails(err);
        const pause = backOff(Math.min(attempt, longestAttemptGap));
        await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
    for (const { delivery } of rows) this.#mailbox.nak(delivery);
  }

  /** Some of the rows are refused: halves them until each of those is alone. */
  async #storeApart(rows: readonly DeliveredRow[], refusal: Refusal): Promise<void> {
    const [row, ...others] = rows;
    if (row !== undefined && others.length === 0) return void this.#setAside(row.delivery, refusal);
    const half = Math.ceil(rows.length / 2);
    await this.#store(rows.slice(0, half));
    await this.#store(rows.slice(half));
  }

  #works(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#log.info("events are archived again");
  }

  /** Says it once per outage; readiness shows it for as long as it lasts. */
  #fails(err: unknown): void {
    if (this.#cut.signal.aborted) return;
    const reason = asUnavailable(err);
    const sentence = reason instanceof Error ? reason.message : String(reason);
    if (this.#problem === undefined) {
      if (isUnavailable(reason)) this.#log.warn({ err }, `events wait: ${sentence}`);
      else this.#log.error({ err }, `events wait, this is a bug or a wrong schema: ${sentence}`);
    }
    this.#problem = sentence;
  }
}

/** The rows in runs of at most `maxInsertBytes`, each of one row at least. */
function* partsOf(rows: readonly DeliveredRow[]): Generator<readonly DeliveredRow[]> {
  let part: DeliveredRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = row.delivery.data.length;
    if (part.length > 0 && bytes + size > maxInsertBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(row);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
