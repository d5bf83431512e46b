import type { CasinoEvent } from "../casino/event.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import type { AppliedRate } from "../messages/envelope.ts";
import type { Log } from "../service/log.ts";

/** An event and whose it is. */
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

/** Not now: the event comes again after a back-off, while others pass. For what only some events need. */
export interface Later {
  readonly kind: "later";
  readonly because: string;
}

/** Never: the event is set aside for people, with its reason. */
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
  readonly log: Log;
  /** Aborted when the process cannot wait for this batch any longer; goes to every I/O call. */
  readonly signal: AbortSignal;
}

/**
 * One actor: takes a batch from its mailbox and says for each event what became of it, in the same order.
 *
 * It sees events, never messages: decoding, publishing, acknowledging, retrying and setting aside are the runner's.
 * Batches come one after the other within a process; other processes run the same step beside it. An event may come
 * again at any time, so a step must be harmless to repeat. Throw `Unavailable` when something that every event needs is
 * away: the whole batch is held and tried again until it is back. Any other throw is taken for a bug. A call has to end
 * within 30 s, else its process does: whatever it waits for needs a shorter bound.
 */
export interface Step {
  readonly name: string;
  /** The stage it forwards to: a name for what the event has become. */
  readonly forwardsTo: string;
  enrich(batch: readonly ClientEvent[], context: StepContext): Promise<readonly Outcome[]>;
}
