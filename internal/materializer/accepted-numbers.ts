import type { Accepted } from "../messages/accepted.ts";
import { forgetOldest } from "../service/forget-oldest.ts";

/** Numbers in one chunk of the bitmap, 4 KiB. */
const chunkSize = 2 ** 15;
const mostLines = 1_000;

interface NumberLimits {
  /** Most chunks with gaps, which dead letters leave: 4 KiB each. */
  readonly chunks: number;
  /** Most chunks without gaps, which take no bits. */
  readonly full: number;
  /** Most incomplete messages of several events: up to 200 bytes each. */
  readonly partial: number;
}

const defaultLimits: NumberLimits = { chunks: 2 ** 14, full: 2 ** 18, partial: 2 ** 16 };

/**
 * Remembers the accepted numbers of folded events, of any age: one bit for each raw message, and none where all of
 * 32,768 neighbours have arrived. A message of several events has bits of its own until the last of them arrives.
 *
 * Bounded: beyond some 80 MiB, which is 500 million numbers with gaps among them, the oldest are forgotten.
 */
export class AcceptedNumbers {
  readonly #limits: NumberLimits;
  #chunks = new Map<number, { readonly bits: Uint32Array; count: number }>();
  #full = new Set<number>();
  #partial = new Map<number, { readonly bits: Uint32Array; count: number }>();

  constructor(limits: NumberLimits = defaultLimits) {
    this.#limits = limits;
  }

  has({ number, line }: Accepted): boolean {
    if (this.#hasMessage(number)) return true;
    if (line === undefined) return false;
    const bits = this.#partial.get(number)?.bits;
    return bits !== undefined && ((bits[line >>> 5] ?? 0) & (1 << (line & 31))) !== 0;
  }

  add({ number, line, lines = 1 }: Accepted): void {
    if (line === undefined || lines === 1) this.#addMessage(number);
    else if (line <= lines && lines <= mostLines && !this.#hasMessage(number))
      this.#addLine(number, line, lines);
  }

  #addLine(number: number, line: number, lines: number): void {
    let message = this.#partial.get(number);
    if (message === undefined) {
      message = { bits: new Uint32Array((lines >>> 5) + 1), count: 0 };
      this.#partial.set(number, message);
      forgetOldest(this.#partial, this.#limits.partial);
    }
    const place = line >>> 5;
    const bits = message.bits[place] ?? 0;
    if ((bits & (1 << (line & 31))) !== 0) return;
    message.bits[place] = bits | (1 << (line & 31));
    if (++message.count < lines) return;
    this.#partial.delete(number);
    this.#addMessage(number);
  }

  /** Forgets everything, because the numbers start over. */
  clear(): void {
    this.#chunks = new Map();
    this.#full = new Set();
    this.#partial = new Map();
  }

  #hasMessage(number: number): boolean {
    const index = Math.floor(number / chunkSize);
    if (this.#full.has(index)) return true;
    const bits = this.#chunks.get(index)?.bits;
    const offset = number % chunkSize;
    return bits !== undefined && ((bits[offset >>> 5] ?? 0) & (1 << (offset & 31))) !== 0;
  }

  #addMessage(number: number): void {
    const index = Math.floor(number / chunkSize);
    if (this.#full.has(index)) return;
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = { bits: new Uint32Array(chunkSize / 32), count: 0 };
      this.#chunks.set(index, chunk);
      forgetOldest(this.#chunks, this.#limits.chunks);
    }
    const place = (number % chunkSize) >>> 5;
    const bits = chunk.bits[place] ?? 0;
    if ((bits & (1 << (number & 31))) !== 0) return;
    chunk.bits[place] = bits | (1 << (number & 31));
    if (++chunk.count < chunkSize) return;
    this.#chunks.delete(index);
    this.#full.add(index);
    forgetOldest(this.#full, this.#limits.full);
  }
}
