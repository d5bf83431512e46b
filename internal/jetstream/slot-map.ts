/**
 * Things that come and go by the thousand, each in a numbered slot while it is there.
 *
 * Not a Map: one in constant change makes itself a new table every few hundred entries. The old tables point at the next
 * one, and once one of them is in the garbage collector's old generation, all the later ones and everything in them is
 * taken for alive until a full collection: each message would be copied twice before it is forgotten.
 */
export class SlotMap<T extends object> {
  readonly #things: (T | undefined)[] = [];
  readonly #free: number[] = [];

  /** How many are there. */
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

  /** All that are there now, by slot: a copy, so that what comes and goes meanwhile changes nothing. */
  all(): readonly T[] {
    return this.#things.filter((thing) => thing !== undefined);
  }
}
