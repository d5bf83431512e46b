import type { FieldError } from "../casino/field-error.ts";

/** What was refused: its place in the request, from 0, and why. */
export interface Rejected {
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** What has become of what a request held. Together they are as many as it held, unless something failed. */
export interface Counts {
  /** Stored now. */
  readonly accepted: number;
  /** The first of those that were refused. */
  readonly rejected: readonly Rejected[];
  /** How many were refused; present when `rejected` does not name all of them. */
  readonly rejected_total?: number;
}

const mostRejected = 1_000;

/** Counts for the answer to a request of any length: it keeps the first refusals, and of the others how many they are. */
export class AnswerCounts {
  accepted = 0;
  readonly #rejected: Rejected[] = [];
  #rejectedTotal = 0;

  reject(index: number, errors: readonly FieldError[]): void {
    this.#rejectedTotal++;
    if (this.#rejected.length < mostRejected) this.#rejected.push({ index, errors });
  }

  /** How many refusals it keeps to name them in the answer. */
  get named(): number {
    return this.#rejected.length;
  }

  /** By their places in the request. */
  get counts(): Counts {
    const rejected = this.#rejected.toSorted((a, b) => a.index - b.index);
    return {
      accepted: this.accepted,
      rejected,
      ...(this.#rejectedTotal > rejected.length ? { rejected_total: this.#rejectedTotal } : {}),
    };
  }
}
