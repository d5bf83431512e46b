/** What became of an accepted event. One may have several at once, for example while it is handed over. */
export const fates = {
  /** It lies in a work queue. */
  waiting: 1,
  /** It is in CASINO_EVENTS. */
  final: 2,
  /** It is in CASINO_DEAD. */
  dead: 4,
  /** Its dead letter was sent again, as an accepted event of its own. */
  sentAgain: 8,
  /** Its dead letter was discarded. */
  discarded: 16,
  /** It was dropped as a copy of an event that is accounted for. */
  copy: 32,
  /** It was on the move while it was looked for. */
  moving: 64,
} as const;
export type Fate = keyof typeof fates;

/** The one that counts where there are several: the furthest. */
const order: readonly Fate[] = ["final", "waiting", "dead", "sentAgain", "discarded", "copy", "moving"];

const pageSize = 2 ** 16;

/** The fates of accepted events by their numbers: a byte for each, where any near it has one. */
export class Fates {
  readonly #pages = new Map<number, Uint8Array>();

  /** @returns false when it was known already */
  add(number: number, fate: Fate): boolean {
    const index = Math.floor(number / pageSize);
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      this.#pages.set(index, page);
    }
    const place = number % pageSize;
    const known = page[place] ?? 0;
    page[place] = known | fates[fate];
    return (known & fates[fate]) === 0;
  }

  has(number: number, fate: Fate): boolean {
    return (this.#of(number) & fates[fate]) !== 0;
  }

  /** Whether anything is known of it. */
  isKnown(number: number): boolean {
    return this.#of(number) !== 0;
  }

  /**
   * How many of the numbers up to `last` have which fate; and which of those from `first` on have none, at most `most`.
   */
  sum(first: number, last: number, most: number): FateSum {
    const counts = { final: 0, waiting: 0, dead: 0, sentAgain: 0, discarded: 0, copy: 0, moving: 0 };
    let knownBefore = 0;
    for (const [index, page] of this.#pages) {
      const start = index * pageSize;
      for (let place = 0; place < pageSize && start + place <= last; place++) {
        const known = page[place] ?? 0;
        if (known === 0) continue;
        const fate = order.find((name) => (known & fates[name]) !== 0);
        if (fate !== undefined) counts[fate]++;
        if (start + place < first) knownBefore++;
      }
    }
    const firstUnknown: number[] = [];
    let unknown = 0;
    for (let number = first; number <= last; number++)
      if (!this.isKnown(number) && unknown++ < most) firstUnknown.push(number);
    return { counts, unknown, firstUnknown, unknownBefore: first - 1 - knownBefore };
  }

  #of(number: number): number {
    return this.#pages.get(Math.floor(number / pageSize))?.[number % pageSize] ?? 0;
  }
}

export interface FateSum {
  readonly counts: Readonly<Record<Fate, number>>;
  /** Numbers before the first asked for of which nothing is known. */
  readonly unknownBefore: number;
  readonly unknown: number;
  readonly firstUnknown: readonly number[];
}
