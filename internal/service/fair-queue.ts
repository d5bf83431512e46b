/**
 * A queue over several owners: they take turns, one entry each, so that an owner with many entries delays the others by
 * one at most. An owner's own entries keep their order.
 */
export class FairQueue<T> {
  /** The owner whose turn is next comes first; no list is empty. */
  readonly #queues = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(owner: string): number {
    return this.#queues.get(owner)?.length ?? 0;
  }

  push(owner: string, entry: T): void {
    const queue = this.#queues.get(owner);
    if (queue === undefined) this.#queues.set(owner, [entry]);
    else queue.push(entry);
    this.#size++;
  }

  /**
   * Takes the next entry of an owner that may have its turn; undefined when there is none.
   * @param may whether an owner may have its turn; default: always
   */
  shift(may: (owner: string) => boolean = () => true): T | undefined {
    for (const [owner, queue] of this.#queues) {
      if (!may(owner)) continue;
      const entry = queue.shift();
      this.#queues.delete(owner);
      if (queue.length > 0) this.#queues.set(owner, queue);
      this.#size--;
      return entry;
    }
    return undefined;
  }

  /** Removes an entry that waits no longer; harmless when it was already taken. */
  remove(owner: string, entry: T): void {
    const queue = this.#queues.get(owner);
    const index = queue?.indexOf(entry) ?? -1;
    if (queue === undefined || index < 0) return;
    queue.splice(index, 1);
    if (queue.length === 0) this.#queues.delete(owner);
    this.#size--;
  }
}
