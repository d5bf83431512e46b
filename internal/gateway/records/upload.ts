import { fieldError } from "../../casino/field-error.ts";
import { AnswerCounts } from "../../http/answer-counts.ts";
import type { LineSink } from "../../http/ndjson.ts";
import type { ClientRecord, Read } from "../../records/record.ts";
import { readJsonBytes } from "../../service/json.ts";

interface RecordUploadOptions<T> {
  readonly read: (value: unknown) => Read<T>;
  /** Stores a batch, all or nothing. */
  readonly put: (records: readonly T[]) => Promise<unknown>;
  /** Most bytes of one line; for the error of a longer one. */
  readonly maxLineBytes: number;
}

/** Records per statement: enough that round trips do not matter, few enough that locks are short. */
const batchSize = 500;

/** The records of one request on their way into the database; holds one batch at a time. */
export class RecordUpload<T extends ClientRecord> implements LineSink {
  readonly #options: RecordUploadOptions<T>;
  readonly counted = new AnswerCounts();
  #batch: T[] = [];
  #failure: unknown;

  constructor(options: RecordUploadOptions<T>) {
    this.#options = options;
  }

  /** Why a batch could not be stored. Once it is set, no more records are taken. */
  get failure(): unknown {
    return this.#failure;
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
    else this.counted.reject(index, result.errors);
  }

  addLine(index: number, line: Uint8Array): void {
    const value = readJsonBytes(line);
    if (value === undefined) this.counted.reject(index, [fieldError("", "must be JSON in UTF-8")]);
    else this.add(index, value);
  }

  addTooLarge(index: number): void {
    const errors = [fieldError("", `must be at most ${this.#options.maxLineBytes} bytes`)];
    this.counted.reject(index, errors);
  }

  /** Stores what was taken so far. */
  async decided(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0 || this.#failure !== undefined) return;
    try {
      await this.#options.put(batch);
      this.counted.accepted += batch.length;
    } catch (err) {
      this.#failure = err;
    }
  }
}
