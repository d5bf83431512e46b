import type { Accepted } from "../messages/accepted.ts";
import { AcceptedNumbers } from "./accepted-numbers.ts";
import { Fingerprints } from "./fingerprints.ts";

/** How many of the stream's duplicate windows the materializer's own memory spans. */
const windows = 3;
export const defaultWindowMs = 5 * 60_000;

/** What is asked of an event to know it again. */
interface Folded {
  readonly client: string;
  readonly source: string;
  readonly id: number;
  readonly storedAt: number;
}

/**
 * The materializer's own memory of which events it has folded, for those that come twice further apart than the stream
 * remembers. A producer's second sending is known by client, source and id for three duplicate windows, a copy that a crash
 * made of one accepted event at any age, by the accepted number.
 */
export class FoldedEvents {
  readonly #windowMs: number;
  #fingerprints: Fingerprints;
  readonly #numbers = new AcceptedNumbers();
  /** When CASINO_RAW was created: its numbers begin at 1, so what was accepted before has other numbers. */
  #numbersSince: number | undefined;

  /** @param windowMs the stream's duplicate window */
  constructor(windowMs: number = defaultWindowMs) {
    this.#windowMs = windowMs;
    this.#fingerprints = new Fingerprints({ spanMs: windows * windowMs });
  }

  /** Forgets all events; what numbers mean stays as it is. */
  reset(): void {
    this.#fingerprints = new Fingerprints({ spanMs: windows * this.#windowMs });
    this.#numbers.clear();
  }

  /** Why events may be counted twice that should not be, else undefined. */
  get problem(): string | undefined {
    return this.#fingerprints.problem;
  }

  /** Accepted numbers begin anew: those accepted from then on, in ms since 1970, count. Until told, numbers count for nothing. */
  numbersSince(createdAt: number): void {
    this.#numbersSince = createdAt;
    this.#numbers.clear();
  }

  /** Remembers an event; false when it was folded before. */
  add(event: Folded, accepted: Accepted | undefined): boolean {
    // Of what was stored since then every event would be known by its fingerprint.
    const { horizon } = this.#fingerprints;
    const isUnknown = this.#fingerprints.add(event.client, event.source, event.id, event.storedAt);
    if (accepted === undefined || accepted.at < (this.#numbersSince ?? Number.POSITIVE_INFINITY))
      return isUnknown;
    const isCopy = isUnknown && accepted.at < horizon && this.#numbers.has(accepted);
    this.#numbers.add(accepted);
    return isUnknown && !isCopy;
  }
}
