/** The result of comparing one place with the ledger. */
export interface Findings {
  /** Accepted events that are not there. */
  readonly lost: number;
  /** Events that are there more than once, or were never sent. */
  readonly doubled: number;
  /** All faults as sentences, including lost and doubled events. */
  readonly wrong: readonly string[];
}

/** Adds up several findings. */
export function together(all: readonly Findings[]): Findings {
  return {
    lost: all.reduce((sum, { lost }) => sum + lost, 0),
    doubled: all.reduce((sum, { doubled }) => sum + doubled, 0),
    wrong: all.flatMap(({ wrong }) => wrong),
  };
}

/** Remembers earlier findings, so that each fault is counted once. */
export class Running {
  #lost = 0;
  #doubled = 0;

  /** Subtracts earlier findings from `lost` and `doubled`, which cover everything so far; `wrong` is returned unchanged. */
  since({ lost, doubled, wrong }: Findings): Findings {
    const news = {
      lost: Math.max(0, lost - this.#lost),
      doubled: Math.max(0, doubled - this.#doubled),
      wrong,
    };
    this.#lost = lost;
    this.#doubled = doubled;
    return news;
  }
}
