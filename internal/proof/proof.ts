import type { Check, CheckName } from "./check.ts";
import type { Disposition } from "./dispositions.ts";

/** Whether and how every accepted event is accounted for. */
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
    /** Messages that a reader's replayed dead letter put there again. */
    readonly replayed: number;
  };
  /** Of each client that has final events, by name. */
  readonly clients: readonly ClientTerms[];
  readonly streams: readonly StreamTerms[];
  readonly checks: readonly Check[];
}

/**
 * accepted = older + final + waiting + dead + sentAgain + discarded + erased + copy + moving + unread + lost, in events.
 * A raw message of which nothing was met counts as one.
 */
export interface AcceptedTerms extends Readonly<Record<Disposition, number>> {
  /** Messages that CASINO_RAW ever stored, replayed dead letters included. */
  readonly messages: number;
  readonly accepted: number;
  /** Whether `waiting`, and with it `accepted`, is an estimate, because not every message in CASINO_RAW was read. */
  readonly isEstimate: boolean;
  /** Unknown, and accepted before the time up to which the streams may have forgotten. */
  readonly older: number;
  /** Found nowhere: in queues too long to read, or lost. */
  readonly unread: number;
  /** Found nowhere. */
  readonly lost: number;
}

/** final = archived + waiting + refused + missing, where Postgres keeps events at least as long as CASINO_EVENTS */
export interface ClientTerms {
  readonly client: string;
  /** Different final events in CASINO_EVENTS. */
  readonly final: number;
  /**
   * Events that their producers sent again after the duplicate window, as messages in CASINO_EVENTS; counted once
   * everywhere else.
   */
  readonly sentTwice: number;
  /** In Postgres. */
  readonly archived: number;
  /** The archiver has not handled them yet. */
  readonly waiting: number;
  /** The archiver set them aside, or did before their letters were discarded. */
  readonly refused: number;
  /** The archiver has acknowledged them, but Postgres does not have them. */
  readonly missing: number;
}

export interface StreamTerms {
  readonly stream: string;
  /** Messages ever stored. */
  readonly stored: number;
  readonly holds: number;
}
