import { SetAside, type SetAsideMeter } from "../actor/set-aside.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import type { Mailbox, MailboxMeter } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { Reader, type ReaderOptions } from "../jetstream/reader.ts";
import { archiverName, clientOf, finalStage, stageFilter, stageStream } from "../messages/subjects.ts";
import type { HopTrace } from "../messages/trace.ts";
import { asking, type Database } from "../postgres/connect.ts";
import type { Log } from "../service/log.ts";
import { batches } from "./batches.ts";
import { EventsTable, type Insert, insertOf, refusalOf } from "./insert.ts";
import { type DeliveredRow, type Refusal, readRow } from "./row.ts";

export const archiverDurable: Durable = {
  stream: stageStream(finalStage),
  name: archiverName,
  description: "keeps final events in Postgres; the last step pauses while it is far behind",
  filter: stageFilter(finalStage),
  // Over all archivers; each holds at most `capacity`.
  maxAckPending: 20_000,
  repeated: "archived again, which changes nothing",
};

/** Rows per insert; larger batches are no cheaper. */
const batchSize = 1_000;
const capacity = 4_000;
/** How long the first event of a batch waits for others. */
const lingerMs = 50;
/** Maximum bytes of one insert, because a thousand large events could have a gigabyte. */
const maxInsertBytes = 8 * 2 ** 20;

/** Counts what becomes of final events, and the statements that archive them. */
interface ArchiverMeter extends MailboxMeter, SetAsideMeter {
  /** @param added how many of the rows were new. @param ms the statement's duration */
  inserted(rows: number, added: number, ms: number): void;
}

interface ArchiverOptions extends ReaderOptions {
  readonly db: Database;
  readonly publisher: Publisher;
  readonly meter?: ArchiverMeter;
  readonly trace?: HopTrace | undefined;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number | undefined;
}

/**
 * Stores every final event as a row, once: inserts a batch and acknowledges it after the commit. A repeated event finds
 * its row there. Any number of archivers share one durable consumer.
 *
 * While Postgres is away it keeps what it holds and takes no more. A row whose values Postgres refuses is set aside
 * alone; the rest of its batch goes in.
 */
export class Archiver {
  readonly #table: EventsTable;
  readonly #log: Log;
  readonly #meter: ArchiverMeter | undefined;
  readonly #trace: HopTrace | undefined;
  readonly #reader: Reader;
  readonly #mailbox: Mailbox;
  readonly #setAside: SetAside;

  private constructor(options: ArchiverOptions, reader: Reader, mailbox: Mailbox) {
    const { db, log, meter, trace } = options;
    this.#table = new EventsTable(db);
    this.#log = log;
    this.#meter = meter;
    this.#trace = trace;
    this.#reader = reader;
    this.#mailbox = mailbox;
    const { untilStored } = reader;
    this.#setAside = new SetAside({ ...options, step: archiverName, mailbox, untilStored });
  }

  /** Opens the mailbox and starts to archive. @throws Error when the consumer cannot be created */
  static async start(options: ArchiverOptions): Promise<Archiver> {
    const { meter, ackWaitMs } = options;
    const reader = new Reader(archiverName, options);
    const durable = { ...archiverDurable, ackWaitMs };
    const mailbox = await reader.open({ durable, meter, batch: batchSize, capacity, gathers: true });
    const archiver = new Archiver(options, reader, mailbox);
    reader.run(archiver.#archive());
    return archiver;
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#setAside.problem ?? this.#reader.problem;
  }

  /** Settles what is in flight or hands it back. */
  async stop(): Promise<void> {
    await this.#reader.stop();
  }

  /** Prepares a batch while the previous one is inserted. */
  async #archive(): Promise<void> {
    let storing = Promise.resolve();
    for await (const batch of batches(this.#mailbox, { size: batchSize, lingerMs })) {
      const parts = [...partsOf(this.#read(batch))].map((rows) => ({ rows, insert: insertOf(rows) }));
      await storing;
      storing = this.#storeAll(parts);
    }
    await storing;
  }

  /** The rows of a batch; sets aside what cannot become a row. */
  #read(batch: readonly Delivery[]): readonly DeliveredRow[] {
    const rows: DeliveredRow[] = [];
    this.#trace?.begin(batch, traceparentOf, itself);
    for (const delivery of batch) {
      const row = readRow(delivery);
      if ("reason" in row) this.#putAside(delivery, row);
      else rows.push(row);
    }
    return rows;
  }

  #putAside(delivery: Delivery, refusal: Refusal): void {
    this.#trace?.end(delivery, { outcome: "dead_letter", error: refusal.reason });
    this.#setAside.put(delivery, delivery, { ...refusal, client: clientOf(delivery.subject) });
  }

  async #storeAll(parts: readonly Part[]): Promise<void> {
    for (const part of parts) await this.#store(part);
  }

  /** Inserts the rows and settles each of them, however long it takes; hands them back when the process stops first. */
  async #store({ rows, insert }: Part): Promise<void> {
    try {
      const isFinal = (err: unknown) => refusalOf(err) !== undefined;
      if (await this.#reader.hold("insert", rows, () => this.#insert(rows, insert), { isFinal })) return;
    } catch (err) {
      const refusal = refusalOf(err);
      if (refusal === undefined) throw err;
      return this.#storeApart(rows, refusal);
    }
    for (const { delivery } of rows) this.#mailbox.nak(delivery);
  }

  async #insert(rows: readonly DeliveredRow[], insert: Insert): Promise<void> {
    const began = performance.now();
    const { cut } = this.#reader;
    const added = await asking(cut, () => this.#table.add(insert, cut));
    this.#meter?.inserted(rows.length, added, performance.now() - began);
    this.#log.debug({ rows: rows.length, added }, "archived");
    // Only after the next insert has started.
    setImmediate(() => {
      for (const { delivery } of rows) {
        this.#mailbox.ack(delivery);
        this.#trace?.end(delivery, archived);
      }
    });
  }

  /** Postgres refuses some of the rows: halves the batch until each refused row is alone. */
  async #storeApart(rows: readonly DeliveredRow[], refusal: Refusal): Promise<void> {
    const [row, ...others] = rows;
    if (row !== undefined && others.length === 0) {
      this.#putAside(row.delivery, refusal);
      return;
    }
    const half = Math.ceil(rows.length / 2);
    for (const part of [rows.slice(0, half), rows.slice(half)])
      await this.#store({ rows: part, insert: insertOf(part) });
  }
}

const archived = { outcome: "archived" };
const traceparentOf = ({ headers }: Delivery): string => headers.get("traceparent");
const itself = (delivery: Delivery): Delivery => delivery;

/** Rows per statement. */
interface Part {
  readonly rows: readonly DeliveredRow[];
  readonly insert: Insert;
}

/** Splits the rows into runs of at most `maxInsertBytes`, with at least one row each. */
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
