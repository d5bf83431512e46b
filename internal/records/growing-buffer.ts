/**
 * Bytes that come in pieces of any size, as one array. Pieces are copied: a body sent byte by byte costs no more memory
 * than one sent at once.
 */
export class GrowingBuffer {
  readonly #most: number;
  #bytes = Buffer.alloc(0);
  #length = 0;

  /** @param most bytes that are ever appended: it makes no more room than that */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many bytes of memory it takes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(
        Math.max(length, Math.min(this.#most, Math.max(1_024, 2 * this.#bytes.length))),
      );
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** What was appended so far. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Starts again from nothing; what `bytes` gave stays as it is. */
  clear(): void {
    this.#length = 0;
    this.#bytes = Buffer.alloc(0);
  }
}
