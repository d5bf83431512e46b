/** What a look at one place found against the ledger. */
export interface Findings {
  /** Accepted events that are not there. */
  readonly lost: number;
  /** Events that are there more than once, or were never sent. */
  readonly doubled: number;
  /** All that is wrong, the lost and doubled too, in sentences. */
  readonly wrong: readonly string[];
}

/** The findings of several looks as one. */
export function together(all: readonly Findings[]): Findings {
  return {
    lost: all.reduce((sum, { lost }) => sum + lost, 0),
    doubled: all.reduce((sum, { doubled }) => sum + doubled, 0),
    wrong: all.flatMap(({ wrong }) => wrong),
  };
}

/** Keeps what was found last time, so that what is lost once is counted once. */
export class Running {
  #lost = 0;
  #doubled = 0;

  /** @param lost and `doubled`: of everything so far; `wrong` stays as it is */
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
