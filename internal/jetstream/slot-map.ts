/**
 * Holds thousands of short-lived objects, each in a numbered slot.
 *
 * Not a Map: a Map in constant change replaces its table every few hundred entries. Each old table points at the
 * next, and once one is in the garbage collector's old generation, all later tables and their contents count as alive
 * until a full collection, so each message would be copied twice before it is freed.
 */
export class SlotMap<T extends object> {
  readonly #things: (T | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#things.length - this.#free.length;
  }

  /** @returns its slot */
  add(thing: T): number {
    const slot = this.#free.pop() ?? this.#things.length;
    this.#things[slot] = thing;
    return slot;
  }

  at(slot: number): T | undefined {
    return this.#things[slot];
  }

  remove(slot: number): void {
    if (this.#things[slot] === undefined) return;
    this.#things[slot] = undefined;
    this.#free.push(slot);
  }

  /** All objects, by slot: a copy, so that changes meanwhile do not matter. */
  all(): readonly T[] {
    return this.#things.filter((thing) => thing !== undefined);
  }
}
