import type { FastifyReply } from "fastify";
import type { FieldError } from "../casino/field-error.ts";
import { Problem } from "../service/problem.ts";

/** What was refused: its place in the request, from 0, and why. */
interface Rejected {
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

  /**
   * Answers with the counts: with `status`, or with 207 if some items were refused.
   * @param problem why not everything was handled
   * @param one what an item is called
   * @throws Problem with the counts: the given one; 400 when nothing was accepted
   */
  conclude(
    reply: FastifyReply,
    problem: Problem | undefined,
    { one, status }: { readonly one: string; readonly status: number },
  ): Counts {
    const { counts } = this;
    const members = { ...counts };
    if (problem !== undefined) {
      const { headers } = problem;
      throw new Problem(problem.status, problem.message, { headers, members, cause: problem });
    }
    if (counts.accepted + counts.rejected.length === 0) throw new Problem(400, `The body holds no ${one}.`);
    if (counts.accepted === 0)
      throw new Problem(400, `No ${one} was accepted, because each of them is invalid.`, { members });
    reply.code(counts.rejected.length === 0 ? status : 207);
    return counts;
  }
}
