import type { LetterFilter } from "./filter.ts";
import type { LetterHead } from "./letter.ts";
import type { LetterStore } from "./store.ts";

/** Letters worked on at once; a letter may have a megabyte. */
const concurrency = 16;

export interface BulkOptions {
  /** Most letters. */
  readonly limit?: number;
  /** Aborted: no further letters are begun. */
  readonly signal?: AbortSignal;
}

/** How far it came. */
export interface BulkEnd {
  readonly begun: number;
  /** Whether letters that match were left over. */
  readonly more: boolean;
}

/**
 * Does something to each letter that matches, the oldest first, some at a time. Only letters that were there at the
 * start: one that comes back meanwhile is not taken again.
 * @throws what `work` throws first, once what was begun has ended
 */
export async function forEachLetter(
  store: LetterStore,
  filter: LetterFilter,
  work: (head: LetterHead) => Promise<void>,
  { limit = Number.POSITIVE_INFINITY, signal }: BulkOptions = {},
): Promise<BulkEnd> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let begun = 0;
  let more = false;
  try {
    for await (const head of store.scan(filter, await store.range())) {
      if (begun >= limit || signal?.aborted) {
        more = true;
        break;
      }
      begun++;
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
  return { begun, more };
}
