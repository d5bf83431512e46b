import { GrowingBuffer } from "./growing-buffer.ts";

const newline = 0x0a;

/** A line with its number from 0; undefined instead of a line longer than the limit. */
export type Line = readonly [index: number, line: Uint8Array | undefined];

/**
 * Splits a stream of bytes into lines, holding no more than one line up to the limit. Blank lines are left out but
 * counted, so that numbers match an editor's, less one.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #begun: GrowingBuffer;
  #isTooLong = false;
  #index = 0;
  #blanks = 0;

  /** @param maxBytes of one line, without its line break */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#begun = new GrowingBuffer(maxBytes);
  }

  /** How many bytes of memory the unfinished line takes. */
  get capacity(): number {
    return this.#begun.capacity;
  }

  /** How many lines were complete so far, blank ones included. */
  get lines(): number {
    return this.#index;
  }

  /** How many blank lines came since the last line that was none. */
  get blanks(): number {
    return this.#blanks;
  }

  /** The lines that a chunk completes. */
  *push(chunk: Uint8Array): Generator<Line> {
    for (let start = this.#skipBlank(chunk, 0); ; start = this.#skipBlank(chunk, start)) {
      const end = chunk.indexOf(newline, start);
      if (end < 0) {
        this.#begin(chunk.subarray(start));
        return;
      }
      const part = chunk.subarray(start, end);
      start = end + 1;
      if (this.#begun.length > 0 || this.#isTooLong || part.length > this.#maxBytes) {
        this.#begin(part);
        yield* this.end();
      } else yield* this.#lineOf(part);
    }
  }

  /** Counts the blank lines within a chunk. There may be many, so each costs no more than its bytes. */
  #skipBlank(chunk: Uint8Array, from: number): number {
    if (this.#begun.length > 0 || this.#isTooLong) return from;
    let start = from;
    for (let at = from; at < chunk.length && isSpace(chunk[at]); at++) {
      if (chunk[at] !== newline) continue;
      if (at - start > this.#maxBytes) break;
      this.#index++;
      this.#blanks++;
      start = at + 1;
    }
    return start;
  }

  /** What is left at the end of the stream: the last line need not end with a line break. */
  *end(): Generator<Line> {
    yield* this.#lineOf(this.#isTooLong ? undefined : this.#begun.bytes());
    this.#begun.clear();
    this.#isTooLong = false;
  }

  #begin(part: Uint8Array): void {
    if (this.#isTooLong || this.#begun.length + part.length > this.#maxBytes) {
      this.#isTooLong = true;
      this.#begun.clear();
    } else if (part.length > 0) this.#begun.append(part);
  }

  *#lineOf(line: Uint8Array | undefined): Generator<Line> {
    const index = this.#index++;
    if (line !== undefined && isBlank(line)) {
      this.#blanks++;
      return;
    }
    this.#blanks = 0;
    yield [index, line];
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every(isSpace);
}

function isSpace(byte: number | undefined): boolean {
  return byte === newline || byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
