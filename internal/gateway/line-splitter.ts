import { GrowingBuffer } from "./growing-buffer.ts";

const newline = 0x0a;

/** A line with its number from 0; undefined in place of one that is longer than the limit. */
export type Line = readonly [index: number, line: Uint8Array | undefined];

/**
 * Cuts a stream of bytes into lines as it comes, and keeps no more of it than one line up to the limit. Blank lines are
 * left out but counted, so that a number is the one an editor shows, less one.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #begun = new GrowingBuffer();
  #isTooLong = false;
  #index = 0;

  /** @param maxBytes of one line, without its line break */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that a chunk completes. */
  *push(chunk: Uint8Array): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end);
      start = end + 1;
      if (this.#begun.length > 0 || this.#isTooLong || part.length > this.#maxBytes) {
        this.#begin(part);
        yield* this.end();
      } else yield* this.#lineOf(part);
    }
    this.#begin(chunk.subarray(start));
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
    if (line === undefined || !isBlank(line)) yield [index, line];
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
