import { hashInteger } from "./hash.ts";

const smallest = 32;
/** Above this share of filled slots a look-up walks too far. */
const maxLoad = 0.7;

/**
 * Numbers the players of one client from 0, in the order of their first events: the index of their columns. An
 * open-addressing table, because a Map spends about 60 bytes on a player and this 14 to 28.
 */
export class PlayerTable {
  #slots = new Uint32Array(smallest); // index + 1; 0 = free
  #ids = new Float64Array(smallest / 2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The index of a player; a new player gets the next one. @param id an integer from 1 to 2^53-1 */
  indexOf(id: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashInteger(id) & mask;
    for (let taken = this.#slots[slot]; taken; taken = this.#slots[slot]) {
      if (this.#ids[taken - 1] === id) return taken - 1;
      slot = (slot + 1) & mask;
    }
    const index = this.#size++;
    if (index >= this.#ids.length) {
      const larger = new Float64Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids[index] = id;
    this.#slots[slot] = index + 1;
    if (this.#size > this.#slots.length * maxLoad) this.#rehash();
    return index;
  }

  /** The player with this index; 0 when there is none. */
  idOf(index: number): number {
    return this.#ids[index] ?? 0;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      let slot = hashInteger(this.idOf(index)) & mask;
      while (slots[slot]) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }
}
