import type { LetterHead } from "../messages/letter.ts";
import type { LetterFilter } from "./filter.ts";
import type { LetterStore } from "./store.ts";

/** How many letters have the same reason, step and client. */
export interface LetterGroup {
  readonly reason: string;
  readonly step: string;
  readonly client: string;
  readonly count: number;
}

export interface Survey {
  readonly total: number;
  readonly groups: readonly LetterGroup[];
  readonly newest: readonly LetterHead[];
}

interface LetterPage {
  /** The newest first. */
  readonly letters: readonly LetterHead[];
  /** The next page ends before this sequence; undefined at the end. */
  readonly before: number | undefined;
}

/**
 * Anybody who publishes names clients, so their number is unbounded; beyond this many groups they count as "(others)".
 */
const mostGroups = 1_000;
const others = { reason: "(others)", step: "", client: "" };

/** Counts all matching letters and keeps the newest: one pass over the stream's headers. */
export async function survey(
  store: LetterStore,
  filter: LetterFilter,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal },
): Promise<Survey> {
  const groups = new Map<string, { -readonly [K in keyof LetterGroup]: LetterGroup[K] }>();
  const groupOf = ({ reason, step, client }: LetterHead) => {
    const key = `${reason} ${step} ${client}`;
    const known = groups.get(key) ?? (groups.size < mostGroups ? undefined : groups.get(others.reason));
    if (known !== undefined) return known;
    const isOthers = groups.size >= mostGroups;
    const group = { ...(isOthers ? others : { reason, step, client }), count: 0 };
    groups.set(isOthers ? others.reason : key, group);
    return group;
  };
  const newest = new Newest(limit);
  let total = 0;
  for await (const head of store.scan(filter, await store.range())) {
    signal?.throwIfAborted();
    total++;
    groupOf(head).count++;
    newest.add(head);
  }
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
  return { total, groups: sorted, newest: newest.letters() };
}

/** Where the search for a page starts, in sequences; each step back is twice as long as the last. */
const firstSpan = 1_000;

/** One page of matching letters, newest first. It reads little more of the stream than the page needs. */
export async function newestLetters(
  store: LetterStore,
  filter: LetterFilter,
  {
    limit,
    before,
    signal,
  }: { readonly limit: number; readonly before?: number | undefined; readonly signal?: AbortSignal },
): Promise<LetterPage> {
  const range = await store.range();
  const letters: LetterHead[] = [];
  let end = Math.min(range.before, before ?? range.before);
  // One more than a page, to know whether there is another.
  for (let span = firstSpan; end > range.from && letters.length <= limit; span *= 2) {
    const from = Math.max(range.from, end - span);
    const part = new Newest(limit + 1 - letters.length);
    for await (const head of store.scan(filter, { from, before: end })) {
      signal?.throwIfAborted();
      part.add(head);
    }
    letters.push(...part.letters());
    end = from;
  }
  const page = letters.slice(0, limit);
  return { letters: page, before: letters.length > limit ? page.at(-1)?.seq : undefined };
}

/** Keeps the last few items added. */
class Newest {
  readonly #limit: number;
  #heads: LetterHead[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(head: LetterHead): void {
    this.#heads.push(head);
    if (this.#heads.length > 2 * this.#limit + 100) this.#heads = this.#heads.slice(-this.#limit);
  }

  /** The newest first. */
  letters(): readonly LetterHead[] {
    return this.#heads.slice(-this.#limit).reverse();
  }
}
