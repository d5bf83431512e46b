import type { FieldError } from "../casino/field-error.ts";

/** What was refused: its place in the request, from 0, and why. */
export interface Rejected {
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** What became of a request's items. The counts add up to all items, unless something failed. */
export interface Counts {
  /** Stored now. */
  readonly accepted: number;
  /** The first of those that were refused. */
  readonly rejected: readonly Rejected[];
  /** How many were refused; set when `rejected` does not name all of them. */
  readonly rejected_total?: number;
}

const mostRejected = 1_000;

/** Counts for the answer to a request of any length: it names the first refusals and only counts the others. */
export class AnswerCounts {
  accepted = 0;
  readonly #rejected: Rejected[] = [];
  #rejectedTotal = 0;

  reject(index: number, errors: readonly FieldError[]): void {
    this.#rejectedTotal++;
    if (this.#rejected.length < mostRejected) this.#rejected.push({ index, errors });
  }

  /** How many refusals the answer names. */
  get named(): number {
    return this.#rejected.length;
  }

  /** By their position in the request. */
  get counts(): Counts {
    const rejected = this.#rejected.toSorted((a, b) => a.index - b.index);
    return {
      accepted: this.accepted,
      rejected,
      ...(this.#rejectedTotal > rejected.length ? { rejected_total: this.#rejectedTotal } : {}),
    };
  }
}
