import type { LetterHead } from "../messages/letter.ts";
import type { LetterFilter } from "./filter.ts";
import type { LetterStore } from "./store.ts";

/** Letters worked on at once; a letter may have a megabyte. */
const usualConcurrency = 16;

interface BulkOptions {
  readonly limit?: number;
  /** Letters worked on at once. */
  readonly concurrency?: number;
  /** Only letters with higher numbers. */
  readonly after?: number | undefined;
  /** When aborted, no more letters are started. */
  readonly signal?: AbortSignal;
}

/** How far it came. */
export interface BulkEnd {
  readonly begun: number;
  /** Whether matching letters were left over. */
  readonly more: boolean;
  /** The number of the last letter started; undefined where there was none. */
  readonly last: number | undefined;
}

/**
 * Handles each matching letter, oldest first, several at a time. Only letters that exist at the start: one that comes
 * back meanwhile is not taken again.
 * @throws the first error of `work`, once what was started has ended
 */
export async function forEachLetter(
  store: LetterStore,
  filter: LetterFilter,
  work: (head: LetterHead) => Promise<void>,
  { limit = Number.POSITIVE_INFINITY, concurrency = usualConcurrency, after = 0, signal }: BulkOptions = {},
): Promise<BulkEnd> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let begun = 0;
  let more = false;
  let last: number | undefined;
  try {
    const { from, before } = await store.range();
    for await (const head of store.scan(filter, { from: Math.max(from, after + 1), before })) {
      if (begun >= limit || signal?.aborted) {
        more = true;
        break;
      }
      begun++;
      last = head.seq;
      const job = work(head)
        .catch((err: unknown) => void failures.push(err))
        .finally(() => running.delete(job));
      running.add(job);
      if (running.size >= concurrency) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
  return { begun, more, last };
}
