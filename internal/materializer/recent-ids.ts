import { hashInteger } from "./hash.ts";

/** How large one generation of the memory may become. */
export interface RecentIdsLimits {
  /** Blocks of 32 consecutive ids; 16 bytes for each slot of the table they lie in. A power of two. */
  readonly slots: number;
  /** Different pairs of client and source. */
  readonly sources: number;
}

const defaultLimits: RecentIdsLimits = { slots: 2 ** 21, sources: 2 ** 16 };
const smallest = 2 ** 10;
const maxLoad = 0.75;

/**
 * The materializer's own memory of which events it has folded, by client, source and id: it catches an event that
 * comes twice further apart than the stream's duplicate window.
 *
 * Ids mostly come in sequence, so a block of 32 neighbours shares one entry: about 5 bits for each id of a dense
 * sequence, 21 bytes and up for a lone one. When the current generation is full it becomes the previous one, and what
 * was previous is forgotten. By default this remembers at least the last 1.5 million events whatever their ids, and
 * the last 50 million where ids are dense and sources number fewer than 65,536; the bound is 64 MiB for the tables
 * plus the names of the sources, reached only by traffic that fills it.
 */
export class RecentIds {
  readonly #limits: RecentIdsLimits;
  #current: Generation;
  #previous: Generation | undefined;

  constructor(limits: RecentIdsLimits = defaultLimits) {
    this.#limits = limits;
    this.#current = new Generation(limits);
  }

  /**
   * Remembers an event. False when it is remembered already.
   * @param id an integer from 1 to 2^53-1
   */
  add(client: string, source: string, id: number): boolean {
    if (this.#previous?.has(client, source, id)) return false;
    if (this.#current.full) {
      this.#previous = this.#current;
      this.#current = new Generation(this.#limits);
      // The new generation is empty, but what has just become the previous one was not asked yet.
      if (this.#previous.has(client, source, id)) return false;
    }
    return this.#current.add(client, source, id);
  }
}

/** One set of ids: an open-addressing table from (source, block of 32 ids) to the 32 bits of that block. */
class Generation {
  readonly #limits: RecentIdsLimits;
  readonly #sources = new Map<string, Map<string, number>>(); // client → source → number, from 1 on
  #sourceCount = 0;
  #blocks = new Float64Array(smallest);
  #owners = new Uint32Array(smallest); // number of the source; 0 = free slot
  #bits = new Int32Array(smallest);
  #used = 0;

  constructor(limits: RecentIdsLimits) {
    this.#limits = limits;
  }

  get full(): boolean {
    return this.#used >= this.#limits.slots * maxLoad || this.#sourceCount >= this.#limits.sources;
  }

  has(client: string, source: string, id: number): boolean {
    const owner = this.#sources.get(client)?.get(source);
    if (owner === undefined) return false;
    const slot = this.#find(owner, blockOf(id));
    return this.#owners[slot] === owner && ((this.#bits[slot] ?? 0) & bitOf(id)) !== 0;
  }

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
