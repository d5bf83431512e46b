import type { Accepted } from "../messages/accepted.ts";
import { AcceptedNumbers } from "./accepted-numbers.ts";
import { Fingerprints } from "./fingerprints.ts";

/** How many of the stream's duplicate windows the materializer's own memory spans. */
const windows = 3;
const defaultWindowMs = 5 * 60_000;

/** What identifies an event. */
interface Folded {
  readonly client: string;
  readonly source: string;
  readonly id: number;
  readonly storedAt: number;
}

/**
 * Which events the materializer has folded, for duplicates further apart than the stream remembers. It recognizes a
 * producer's resend by client, source and id for three duplicate windows, and a copy that a crash made of one accepted
 * event by its accepted number, at any age.
 */
export class FoldedEvents {
  readonly #windowMs: number;
  #fingerprints: Fingerprints;
  readonly #numbers = new AcceptedNumbers();
  /** When CASINO_RAW was created: its numbers begin at 1, so earlier events' numbers mean nothing. */
  #numbersSince: number | undefined;

  /** @param windowMs the stream's duplicate window */
  constructor(windowMs: number = defaultWindowMs) {
    this.#windowMs = windowMs;
    this.#fingerprints = new Fingerprints({ spanMs: windows * windowMs });
  }

  /** Forgets all events, but not since when numbers count. */
  reset(): void {
    this.#fingerprints = new Fingerprints({ spanMs: windows * this.#windowMs });
    this.#numbers.clear();
  }

  /** Why events may be counted twice; otherwise undefined. */
  get problem(): string | undefined {
    return this.#fingerprints.problem;
  }

  /**
   * Accepted numbers start over: only those accepted from this time on, in ms since 1970, count. Before the first call
   * none do.
   */
  numbersSince(createdAt: number): void {
    this.#numbersSince = createdAt;
    this.#numbers.clear();
  }

  /** Remembers an event; false when it was folded before. */
  add(event: Folded, accepted: Accepted | undefined): boolean {
    // Every event stored since then would be recognized by its fingerprint.
    const { horizon } = this.#fingerprints;
    const isUnknown = this.#fingerprints.add(event.client, event.source, event.id, event.storedAt);
    if (accepted === undefined || accepted.at < (this.#numbersSince ?? Number.POSITIVE_INFINITY))
      return isUnknown;
    const isCopy = isUnknown && accepted.at < horizon && this.#numbers.has(accepted);
    this.#numbers.add(accepted);
    return isUnknown && !isCopy;
  }
}
