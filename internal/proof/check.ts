import { Names } from "./names.ts";

/** The checks of a proof, in the order shown. */
export const checkNames = [
  "quiet",
  "accounted",
  "older",
  "once",
  "resent",
  "cut",
  "strangers",
  "holes",
  "stranded",
  "archived",
  "surplus",
  "materialized",
  "delivered",
] as const;
export type CheckName = (typeof checkNames)[number];

/** One check: its result, the reason, and what does not fit. */
export interface Check {
  readonly name: CheckName;
  readonly verdict: "holds" | "violated" | "unchecked";
  /** One sentence for people. */
  readonly sentence: string;
  /** How many things do not fit. */
  readonly count: number;
  /** The first of them. */
  readonly names: readonly string[];
}

export function holds(name: CheckName, sentence: string): Check {
  return { name, verdict: "holds", sentence, count: 0, names: [] };
}

/** It could not be checked; the sentence says why, and what would make it possible. */
export function unchecked(name: CheckName, sentence: string): Check {
  return { name, verdict: "unchecked", sentence, count: 0, names: [] };
}

export function violated(name: CheckName, sentence: string, { count, first }: Names): Check {
  return { name, verdict: "violated", sentence, count, names: [...first] };
}

/** Holds when there are none. */
export function none(name: CheckName, found: Names, sentences: { good: string; bad: string }): Check {
  return found.count === 0 ? holds(name, sentences.good) : violated(name, sentences.bad, found);
}

/** All of a list, as `Names`. */
export function namesOf(list: readonly string[], most: number): Names {
  const names = new Names(most);
  for (const name of list) names.add(name);
  return names;
}
