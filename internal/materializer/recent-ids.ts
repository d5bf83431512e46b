import { IdSet, maxLoad } from "./id-set.ts";

/** How large one generation of the memory may become. */
export interface RecentIdsLimits {
  /** Blocks of 32 consecutive ids; 16 bytes for each slot of the table they lie in. A power of two. */
  readonly slots: number;
  /** Different pairs of client and source. */
  readonly sources: number;
}

const defaultLimits: RecentIdsLimits = { slots: 2 ** 21, sources: 2 ** 16 };

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
  #current = new IdSet();
  #previous: IdSet | undefined;

  constructor(limits: RecentIdsLimits = defaultLimits) {
    this.#limits = limits;
  }

  /**
   * Remembers an event. False when it is remembered already.
   * @param id an integer from 1 to 2^53-1
   */
  add(client: string, source: string, id: number): boolean {
    if (this.#previous?.has(client, source, id)) return false;
    if (this.#isFull) {
      this.#previous = this.#current;
      this.#current = new IdSet();
      // The new generation is empty, but what has just become the previous one was not asked yet.
      if (this.#previous.has(client, source, id)) return false;
    }
    return this.#current.add(client, source, id);
  }

  get #isFull(): boolean {
    const { slots, sources } = this.#limits;
    return this.#current.blocks >= slots * maxLoad || this.#current.sources >= sources;
  }
}
