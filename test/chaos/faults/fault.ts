import type { Killer } from "../killer.ts";
import type { Ledger } from "../ledger.ts";
import type { Load } from "../load.ts";
import type { ChaosStack, Topology } from "../stack.ts";

/** What a fault works with. */
export interface FaultContext {
  readonly stack: ChaosStack;
  readonly load: Load;
  readonly ledger: Ledger;
  /** Every kill goes through it. */
  readonly killer: Killer;
  /** A whole number from `low` to `high`, chosen by the seed. */
  readonly between: (low: number, high: number) => number;
  /** One of these, chosen by the seed. */
  readonly pick: <T>(list: readonly T[]) => T;
  /** How long the outages last, in ms. */
  readonly outageMs: number;
  /** How long paused processes stay paused, in ms; longer than ack_wait by default. */
  readonly pauseMs: number;
}

/** Something that goes wrong. */
export interface Fault {
  readonly name: string;
  /** What it does, for people. */
  readonly what: string;
  readonly topology: Topology;
  /**
   * Begins it, lets it last and ends it, under load. Resolves at its end with what was seen of it. @throws Error when it
   * could not be brought about: a fault that did not bite proves nothing.
   */
  readonly inject: (context: FaultContext) => Promise<string>;
}

/** Milliseconds as seconds, for people. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
