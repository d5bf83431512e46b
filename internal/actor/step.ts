import type { CasinoEvent } from "../casino/event.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import type { AppliedRate } from "../messages/envelope.ts";
import type { LogLimit } from "../service/log-limit.ts";

/** An event and the client it belongs to. */
export interface ClientEvent {
  readonly client: string;
  readonly event: CasinoEvent;
}

/** The enriched event goes on to the next stage: published, and its source acknowledged once it is stored. */
export interface Forward {
  readonly kind: "forward";
  readonly event: CasinoEvent;
  readonly rate?: AppliedRate;
}

/** Not now: the event comes again after a back-off while others pass. For dependencies that only some events need. */
export interface Later {
  readonly kind: "later";
  readonly because: string;
}

/** Never: the event becomes a dead letter, with this reason. */
export interface DeadLetter {
  readonly kind: "dead-letter";
  readonly reason: DeadReason;
  readonly because: string;
}

export type Outcome = Forward | Later | DeadLetter;

export const forward = (event: CasinoEvent, rate?: AppliedRate): Forward =>
  rate === undefined ? { kind: "forward", event } : { kind: "forward", event, rate };
export const later = (because: string): Later => ({ kind: "later", because });
export const deadLetter = (reason: DeadReason, because: string): DeadLetter => ({
  kind: "dead-letter",
  reason,
  because,
});

export interface StepContext {
  /** For what events cause. */
  readonly log: LogLimit;
  /** Aborted when the process can wait no longer for this batch; goes to every I/O call. */
  readonly signal: AbortSignal;
}

/**
 * One actor: takes a batch of events and returns a result for each, in the same order.
 *
 * It sees events, never messages: the runner decodes, publishes, acknowledges, retries and sets aside. Batches come
 * one after the other within a process; other processes run the same step beside it. An event may come again at any
 * time, so a step must be harmless to repeat. Throw `Unavailable` when something that every event needs is away: the
 * whole batch is held and retried until it is back. Any other throw counts as a bug. A call must end within 30 s or
 * its process ends, so bound every wait below that.
 */
export interface Step {
  readonly name: string;
  /** The stage it forwards to, named for what the event has become. */
  readonly forwardsTo: string;
  enrich(batch: readonly ClientEvent[], context: StepContext): Promise<readonly Outcome[]>;
}
