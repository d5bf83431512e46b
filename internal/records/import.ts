import type { FieldError } from "../casino/field-error.ts";
import { CommandError } from "../service/command-error.ts";
import { LineError, lineFormat, type ReadLine } from "./line-format.ts";
import { type Line, LineSplitter } from "./line-splitter.ts";
import type { ClientRecord, Read, RecordKind } from "./record.ts";

interface ImportOptions<T extends ClientRecord> {
  readonly kind: RecordKind<T>;
  /** Stores a batch. @returns how many are new */
  readonly put: (records: readonly T[]) => Promise<number>;
  /** Called for each refused line: its number, from 1, and why. */
  readonly refuse: (line: number, why: string) => void;
  /** Called from time to time with the progress. */
  readonly progress: (counts: ImportCounts) => void;
}

/** The state of a file's import. */
export interface ImportCounts {
  readonly added: number;
  readonly replaced: number;
  readonly refused: number;
}

/** Records of one statement. */
const batchSize = 1_000;
const maxLineBytes = 64 * 1024;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Stores the records of a file while reading it, however long it is: it holds only a chunk and a batch. A bad line is
 * refused by itself.
 * @throws CommandError when no line can be read, or there is none
 */
export async function importRecords<T extends ClientRecord>(
  pieces: AsyncIterable<Uint8Array>,
  options: ImportOptions<T>,
): Promise<ImportCounts> {
  const { kind, put, progress } = options;
  let counts: ImportCounts = { added: 0, replaced: 0, refused: 0 };
  let batch: T[] = [];
  const reader = new LineReader(options.kind);
  const store = async (): Promise<void> => {
    if (batch.length > 0) {
      const added = await put(batch);
      counts = { ...counts, added: counts.added + added, replaced: counts.replaced + batch.length - added };
      batch = [];
    }
    progress(counts);
  };
  const take = async (lines: Iterable<Line>): Promise<void> => {
    for (const [index, line] of lines) {
      const result = reader.read(line);
      if (result === undefined) continue;
      if (result.ok) batch.push(result.record);
      else {
        counts = { ...counts, refused: counts.refused + 1 };
        options.refuse(index + 1, result.errors.map(sentence).join(", "));
      }
      if (batch.length >= batchSize) await store();
    }
  };
  const splitter = new LineSplitter(maxLineBytes);
  for await (const piece of pieces) await take(splitter.push(piece));
  await take(splitter.end());
  await store();
  if (reader.isEmpty) throw new CommandError(`The file holds no ${kind.one}.`);
  return counts;
}

/** Reads the lines of one file, in the format that the first line shows. */
class LineReader<T extends ClientRecord> {
  readonly #kind: RecordKind<T>;
  #readLine: ReadLine | undefined;
  /** Whether there was no line except a header. */
  isEmpty = true;

  constructor(kind: RecordKind<T>) {
    this.#kind = kind;
  }

  /** Undefined for a header. @throws CommandError when it is the first and shows no format */
  read(line: Uint8Array | undefined): Read<T> | undefined {
    try {
      const text = textOf(line);
      if (this.#readLine === undefined) {
        const { readLine, isRecord } = lineFormat(text, this.#kind);
        this.#readLine = readLine;
        if (!isRecord) return undefined;
      }
      this.isEmpty = false;
      return this.#kind.read(this.#readLine(text));
    } catch (err) {
      if (!(err instanceof LineError)) throw err;
      if (this.#readLine === undefined)
        throw new CommandError(`The first line ${err.message}.`, { cause: err });
      return { ok: false, errors: [{ path: "", message: err.message }] };
    }
  }
}

/** @throws LineError */
function textOf(line: Uint8Array | undefined): string {
  if (line === undefined) throw new LineError(`is longer than ${maxLineBytes} bytes`);
  try {
    return utf8.decode(line);
  } catch (err) {
    throw new LineError("is not UTF-8", { cause: err });
  }
}

/** A field by the name of its column, as in the person's file. */
function sentence({ path, message }: FieldError): string {
  return `${path.slice(1)} ${message}`.trim();
}
