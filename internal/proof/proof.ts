import type { Check, CheckName } from "./check.ts";
import type { Disposition } from "./dispositions.ts";

/** Whether every accepted event is accounted for, and how. */
export interface Proof {
  /** No check is violated. */
  readonly holds: boolean;
  /** Checks that could not be made; each says why. */
  readonly unchecked: readonly CheckName[];
  /** When the reading began, as an ISO date-time. */
  readonly at: string;
  readonly tookMs: number;
  readonly accepted: AcceptedTerms;
  readonly finals: {
    /** Messages in CASINO_EVENTS. */
    readonly messages: number;
    /** Those that a reader's dead letter put there once more. */
    readonly replayed: number;
  };
  /** Of each client that has final events, by name. */
  readonly clients: readonly ClientTerms[];
  readonly streams: readonly StreamTerms[];
  readonly checks: readonly Check[];
}

/**
 * accepted = older + final + waiting + dead + sentAgain + discarded + erased + copy + moving + unread + lost, in events. A raw message of
 * which nothing was met counts as one.
 */
export interface AcceptedTerms extends Readonly<Record<Disposition, number>> {
  /** Messages that CASINO_RAW ever stored, dead letters sent again included. */
  readonly messages: number;
  readonly accepted: number;
  /** Whether `waiting`, and with it `accepted`, is an estimate: not each message that waits in CASINO_RAW was looked into. */
  readonly isEstimate: boolean;
  /** Unknown, and accepted before the time from which on the streams still know everything. */
  readonly older: number;
  /** Nowhere else, so in queues too long to be read, or lost. */
  readonly unread: number;
  /** Nowhere. */
  readonly lost: number;
}

/** final = archived + waiting + refused + missing, where Postgres keeps events at least as long as CASINO_EVENTS */
export interface ClientTerms {
  readonly client: string;
  /** Different final events in CASINO_EVENTS. */
  readonly final: number;
  /** Messages there of an event that its producer sent again after the duplicate window; counted once everywhere else. */
  readonly sentTwice: number;
  /** In Postgres. */
  readonly archived: number;
  /** The archiver has not come to them yet. */
  readonly waiting: number;
  /** The archiver set them aside, or did before their letters were discarded. */
  readonly refused: number;
  /** The archiver is done with them, and Postgres has them not. */
  readonly missing: number;
}

export interface StreamTerms {
  readonly stream: string;
  /** Messages ever stored. */
  readonly stored: number;
  readonly holds: number;
}
