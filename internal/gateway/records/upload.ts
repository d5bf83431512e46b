import { fieldError } from "../../casino/field-error.ts";
import { AnswerCounts, type Counts } from "../../http/answer-counts.ts";
import type { LineSink } from "../../http/ndjson.ts";
import type { ClientRecord, Read } from "../../records/record.ts";

export interface RecordUploadOptions<T> {
  readonly read: (value: unknown) => Read<T>;
  /** Stores a batch, whole or not at all. */
  readonly put: (records: readonly T[]) => Promise<unknown>;
  /** Of one line; for the error of one that is longer. */
  readonly maxLineBytes: number;
}

/** Records of one statement: enough to make their number cheap, few enough to lock for a moment only. */
const batchSize = 500;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The records of one request on their way into the database, a batch at a time: it never holds more than one. */
export class RecordUpload<T extends ClientRecord> implements LineSink {
  readonly #options: RecordUploadOptions<T>;
  readonly #counted = new AnswerCounts();
  #batch: T[] = [];
  #failure: unknown;

  constructor(options: RecordUploadOptions<T>) {
    this.#options = options;
  }

  /** What a batch could not be stored for. Once there is something, no more are taken. */
  get failure(): unknown {
    return this.#failure;
  }

  get counts(): Counts {
    return this.#counted.counts;
  }

  get named(): number {
    return this.#counted.named;
  }

  get hasRoom(): boolean {
    return this.#batch.length < batchSize;
  }

  room(): Promise<void> {
    return this.decided();
  }

  /** Takes a record if it is valid, else notes what is wrong. */
  add(index: number, value: unknown): void {
    const result = this.#options.read(value);
    if (result.ok) this.#batch.push(result.record);
    else this.#counted.reject(index, result.errors);
  }

  addLine(index: number, line: Uint8Array): void {
    let value: unknown;
    try {
      value = JSON.parse(utf8.decode(line));
    } catch {
      this.#counted.reject(index, [fieldError("", "must be JSON in UTF-8")]);
      return;
    }
    this.add(index, value);
  }

  addTooLarge(index: number): void {
    const errors = [fieldError("", `must be at most ${this.#options.maxLineBytes} bytes`)];
    this.#counted.reject(index, errors);
  }

  /** Stores what was taken so far. */
  async decided(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0 || this.#failure !== undefined) return;
    try {
      await this.#options.put(batch);
      this.#counted.accepted += batch.length;
    } catch (err) {
      this.#failure = err;
    }
  }
}
