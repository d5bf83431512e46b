/**
 * Collects bytes that arrive in pieces into one array. It copies the pieces: a body sent byte by byte takes no more
 * memory than one sent at once.
 */
export class GrowingBuffer {
  readonly #most: number;
  #bytes = Buffer.alloc(0);
  #length = 0;

  /** @param most bytes that are ever appended: it allocates no more */
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

  /** Starts empty again; arrays returned by `bytes` stay as they are. */
  clear(): void {
    this.#length = 0;
    this.#bytes = Buffer.alloc(0);
  }
}
