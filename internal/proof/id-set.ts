import { hashInteger } from "../materializer/hash.ts";

const smallest = 2 ** 10;
/** Share of a table's slots beyond which it grows. */
const maxLoad = 0.75;

/**
 * A set of events by client, source and id: an open-addressing table from (source, block of 32 ids) to the 32 bits of
 * that block. Ids mostly come in sequence: a dense one takes about 5 bits, a lone one 21 bytes and more.
 */
export class IdSet {
  readonly #sources = new Map<string, Map<string, number>>(); // client → source → number, from 1 on
  #sourceCount = 0;
  #blocks = new Float64Array(smallest);
  #owners = new Uint32Array(smallest); // number of the source; 0 = free slot
  #bits = new Int32Array(smallest);
  #used = 0;

  /** Blocks of 32 ids in it. */
  get blocks(): number {
    return this.#used;
  }

  /** Pairs of client and source in it. */
  get sources(): number {
    return this.#sourceCount;
  }

  has(client: string, source: string, id: number): boolean {
    const owner = this.#sources.get(client)?.get(source);
    if (owner === undefined) return false;
    const slot = this.#find(owner, blockOf(id));
    return this.#owners[slot] === owner && ((this.#bits[slot] ?? 0) & bitOf(id)) !== 0;
  }

  /** @param id an integer from 1 to 2^53-1 @returns false when it was there already */
  add(client: string, source: string, id: number): boolean {
    const owner = this.#owner(client, source);
    const block = blockOf(id);
    const slot = this.#find(owner, block);
    const bits = this.#bits[slot] ?? 0;
    if ((bits & bitOf(id)) !== 0) return false;
    this.#bits[slot] = bits | bitOf(id);
    if (this.#owners[slot] === 0) {
      this.#owners[slot] = owner;
      this.#blocks[slot] = block;
      if (++this.#used > this.#owners.length * maxLoad) this.#grow();
    }
    return true;
  }

  #owner(client: string, source: string): number {
    const known = this.#sources.get(client)?.get(source);
    if (known !== undefined) return known;
    const sources = this.#sources.get(client) ?? new Map<string, number>();
    sources.set(source, ++this.#sourceCount);
    this.#sources.set(client, sources);
    return this.#sourceCount;
  }

  /** The slot of a block, or the free one where it belongs. */
  #find(owner: number, block: number): number {
    const mask = this.#owners.length - 1;
    let slot = hashInteger(block, owner) & mask;
    while (this.#owners[slot] !== 0 && (this.#owners[slot] !== owner || this.#blocks[slot] !== block))
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [blocks, owners, bits] = [this.#blocks, this.#owners, this.#bits];
    this.#blocks = new Float64Array(blocks.length * 2);
    this.#owners = new Uint32Array(blocks.length * 2);
    this.#bits = new Int32Array(blocks.length * 2);
    for (let old = 0; old < owners.length; old++) {
      const owner = owners[old] ?? 0;
      if (owner === 0) continue;
      const slot = this.#find(owner, blocks[old] ?? 0);
      this.#owners[slot] = owner;
      this.#blocks[slot] = blocks[old] ?? 0;
      this.#bits[slot] = bits[old] ?? 0;
    }
  }
}

function blockOf(id: number): number {
  return Math.floor(id / 32);
}

function bitOf(id: number): number {
  return 1 << (id & 31);
}
