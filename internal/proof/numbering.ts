import type { StreamState } from "../jetstream/stream-state.ts";
import type { Accepted } from "../messages/accepted.ts";

/** How far the clocks of a cluster's nodes may differ. */
const clockMarginMs = 60_000;
/** The time of one number in this many is remembered. */
const sampled = 64;

/**
 * Which numbers this CASINO_RAW has given out, and not an earlier stream of that name; and from which number on
 * everything must still be there. A number's time decides: anything accepted before the stream was created was accepted
 * by another.
 *
 * A cluster does not tell when that was. There, two streams are distinguished by the messages' times, which never change:
 * a number with two times was given out twice. Which of the two is this stream's is then unknown.
 */
export class Numbering {
  readonly #raw: StreamState;
  readonly #since: number;
  /** When some of the numbers were given out, where the stream does not report its creation. */
  readonly #times = new Map<number, number>();
  #first = Number.POSITIVE_INFINITY;
  #isAmbiguous = false;
  #isSuccessor = false;

  /**
   * @param raw CASINO_RAW when the reading began
   * @param since from which time on everything must still be there, in ms since the epoch; 0 = from the beginning
   */
  constructor(raw: StreamState, since: number) {
    this.#raw = raw;
    this.#since = since;
    if (since === 0) this.#first = 1;
    else this.#note({ number: raw.lastSeq, at: raw.lastAt });
  }

  /** The first number, among those met, that is recent enough. */
  get first(): number {
    return Math.min(this.#first, this.#raw.lastSeq + 1);
  }

  /** Whether numbers of another CASINO_RAW were met that cannot be told from this one's. */
  get isAmbiguous(): boolean {
    return this.#isAmbiguous;
  }

  /** Whether numbers of an earlier CASINO_RAW were met. Nobody knows what that one still held. */
  get isSuccessor(): boolean {
    return this.#isSuccessor;
  }

  /** Whether this CASINO_RAW gave out the number. */
  isOurs(accepted: Accepted | undefined): accepted is Accepted {
    if (accepted === undefined) return false;
    if (accepted.at < this.#raw.created) {
      this.#isSuccessor = true;
      return false;
    }
    this.#note(accepted);
    return true;
  }

  #note({ number, at }: Accepted): void {
    if (at >= this.#since && number < this.#first) this.#first = number;
    if (this.#raw.created > 0) return;
    if (number > this.#raw.lastSeq) this.#isAmbiguous ||= at < this.#raw.lastAt - clockMarginMs;
    else if (number % sampled === 1) {
      const known = this.#times.get(number);
      if (known === undefined) this.#times.set(number, at);
      else this.#isAmbiguous ||= known !== at;
    }
  }
}
