import type { NatsConnection } from "nats";
import { HandOver } from "../actor/hand-over.ts";
import { Outage } from "../actor/outage.ts";
import { Stop } from "../actor/stop.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { finalStage, stageFilter, stageStream } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { batches } from "./batches.ts";
import { insertRows, refusalOf } from "./insert.ts";
import { type DeliveredRow, type Refusal, readRow } from "./row.ts";

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
  readonly #stop: Stop;
  readonly #outage: Outage;
  readonly #handOver: HandOver;
  #loop: Promise<void> = Promise.resolve();

  private constructor({ db, log, publisher }: ArchiverOptions, mailbox: Mailbox) {
    this.#db = db;
    this.#log = log;
    this.#mailbox = mailbox;
    const { name } = archiverDurable;
    this.#stop = new Stop(name);
    this.#outage = new Outage(log);
    this.#handOver = new HandOver({ name, publisher, mailbox, log, stop: this.#stop, outage: this.#outage });
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
    return this.#outage.problem ?? this.#mailbox.problem;
  }

  /** Settles what is in flight or hands it back. */
  async stop(): Promise<void> {
    await this.#stop.settle(this.#mailbox, this.#loop);
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
      if ("reason" in row) this.#handOver.setAside(delivery, row.reason, row.because);
      else rows.push(row);
    }
    return rows;
  }

  async #storeAll(rows: readonly DeliveredRow[]): Promise<void> {
    for (const part of partsOf(rows)) await this.#store(part);
  }

  /** Inserts the rows and settles each of them, however long it takes; hands them back when the process stops first. */
  async #store(rows: readonly DeliveredRow[]): Promise<void> {
    for (let attempt = 1; !this.#stop.stopping.aborted || attempt === 1; attempt++) {
      try {
        const added = await insertRows(this.#db, rows, this.#stop.cut);
        this.#outage.over();
        this.#log.debug({ rows: rows.length, added }, "archived");
        for (const { delivery } of rows) this.#mailbox.ack(delivery);
        return;
      } catch (err) {
        const refusal = refusalOf(err);
        if (refusal !== undefined) return this.#storeApart(rows, refusal);
        this.#fails(err);
        await this.#stop.pauseAfter(attempt);
      }
    }
    for (const { delivery } of rows) this.#mailbox.nak(delivery);
  }

  /** Some of the rows are refused: halves them until each of those is alone. */
  async #storeApart(rows: readonly DeliveredRow[], refusal: Refusal): Promise<void> {
    const [row, ...others] = rows;
    if (row !== undefined && others.length === 0) {
      this.#handOver.setAside(row.delivery, refusal.reason, refusal.because);
      return;
    }
    const half = Math.ceil(rows.length / 2);
    await this.#store(rows.slice(0, half));
    await this.#store(rows.slice(half));
  }

  #fails(err: unknown): void {
    if (this.#stop.cut.aborted) return;
    const reason = asUnavailable(err);
    this.#outage.began(reason instanceof Error ? reason : new Error(String(reason), { cause: err }));
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
