import type { Killer } from "../killer.ts";
import type { Ledger } from "../ledger.ts";
import type { Load } from "../load.ts";
import type { ChaosStack, Topology } from "../stack.ts";

/** The context of a fault. */
export interface FaultContext {
  readonly stack: ChaosStack;
  readonly load: Load;
  readonly ledger: Ledger;
  /** Does every kill. */
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

/** A fault to inject. */
export interface Fault {
  readonly name: string;
  /** What it does, for people. */
  readonly what: string;
  readonly topology: Topology;
  /**
   * Starts and ends the fault under load. Resolves at its end to a description of what happened. @throws Error if the fault
   * had no effect, because then it proves nothing.
   */
  readonly inject: (context: FaultContext) => Promise<string>;
}

/** Milliseconds as seconds, for people. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
