const chunkBytes = 2 ** 20;
/** A message's count stands before its bytes. */
const countBytes = 2;

/** A byte for each event of messages that carry several, side by side: an object for each message would take ten times that. */
export class LineBytes {
  readonly #chunks: Buffer[] = [];
  /** The first place stays free: 0 means none. */
  #free = 1;

  /** @param lines at most 65,535 @returns the place of this many bytes, all 0 */
  allocate(lines: number): number {
    const size = countBytes + lines;
    const end = this.#chunks.length * chunkBytes;
    if (this.#free + size > end) {
      this.#free = Math.max(this.#free, end);
      this.#chunks.push(Buffer.alloc(chunkBytes));
    }
    const place = this.#free;
    this.#free += size;
    this.#chunkOf(place).writeUInt16LE(lines, place % chunkBytes);
    return place;
  }

  count(place: number): number {
    return this.#chunkOf(place).readUInt16LE(place % chunkBytes);
  }

  /** @param line from 1 to the count */
  get(place: number, line: number): number {
    return this.of(place)[line - 1] ?? 0;
  }

  /** Sets bits of a line's byte and keeps the others. */
  set(place: number, line: number, bits: number): void {
    const bytes = this.of(place);
    bytes[line - 1] = (bytes[line - 1] ?? 0) | bits;
  }

  of(place: number): Uint8Array {
    const start = (place % chunkBytes) + countBytes;
    return this.#chunkOf(place).subarray(start, start + this.count(place));
  }

  #chunkOf(place: number): Buffer {
    const chunk = this.#chunks[Math.floor(place / chunkBytes)];
    if (chunk === undefined) throw new RangeError(`There are no lines at ${place}.`);
    return chunk;
  }
}
