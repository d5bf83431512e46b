import type { AcceptedNumber } from "../messages/accepted.ts";
import { LineBytes } from "./line-bytes.ts";

/** What became of an accepted event. It may have several dispositions at once, for example while it is handed over. */
const dispositions = {
  /** It is in a work queue. */
  waiting: 1,
  /** It is in CASINO_EVENTS. */
  final: 2,
  /** It is in CASINO_DEAD. */
  dead: 4,
  /** Its dead letter was replayed, as an accepted event of its own. */
  sentAgain: 8,
  /** Its dead letter was discarded. */
  discarded: 16,
  /** It was dropped as a copy of an event that is accounted for. */
  copy: 32,
  /** It was moving while it was looked for. */
  moving: 64,
  /** Its dead letter contained personal data that had to be erased, and could not be rewritten without them. */
  erased: 128,
} as const;
export type Disposition = keyof typeof dispositions;

/** Of several dispositions the furthest counts. */
const order: readonly Disposition[] = [
  "final",
  "waiting",
  "dead",
  "sentAgain",
  "discarded",
  "erased",
  "copy",
  "moving",
];

const pageSize = 2 ** 16;

/** A run of raw messages with neighbouring numbers. */
interface Page {
  /** The dispositions of each message as a whole. */
  readonly whole: Uint8Array;
  /** Where the events of each message are in the lines; 0 = none was found. */
  lines: Uint32Array | undefined;
}

/**
 * The dispositions of accepted events by number: a byte for each raw message in runs where any has one, and for each
 * event of a message with several, once one of them was met. A disposition of the whole message applies to all its
 * events.
 */
export class Dispositions {
  readonly #last: number;
  readonly #pages = new Map<number, Page>();
  readonly #lines = new LineBytes();

  /** @param last the last number considered; higher ones are ignored, because somebody made them up */
  constructor(last: number) {
    this.#last = last;
  }

  /** Whether this agrees with earlier events on how many events their message carried. */
  fits({ number, lines }: AcceptedNumber): boolean {
    const place = this.#placeOf(number);
    return lines === undefined || place === 0 || this.#lines.count(place) === lines;
  }

  /** @param accepted one that fits @returns false when it was already known */
  add(accepted: AcceptedNumber, disposition: Disposition): boolean {
    const { number, line, lines } = accepted;
    if (number > this.#last) return true;
    const isNew = !this.has(accepted, disposition);
    const page = this.#pageOf(number);
    const at = number % pageSize;
    if (line === undefined || lines === undefined)
      page.whole[at] = (page.whole[at] ?? 0) | dispositions[disposition];
    else {
      page.lines ??= new Uint32Array(pageSize);
      page.lines[at] ||= this.#lines.allocate(lines);
      this.#lines.set(page.lines[at] ?? 0, line, dispositions[disposition]);
    }
    return isNew;
  }

  /** Whether this event has that disposition. */
  has(accepted: AcceptedNumber, disposition: Disposition): boolean {
    return (this.#of(accepted) & dispositions[disposition]) !== 0;
  }

  /** Whether anything is known of it. */
  isKnown(accepted: AcceptedNumber): boolean {
    return this.#of(accepted) !== 0;
  }

  /** Whether any event of the message has that disposition. */
  hasAny(number: number, disposition: Disposition): boolean {
    return this.#eventsOf(number).some((bits) => (bits & dispositions[disposition]) !== 0);
  }

  /**
   * How many events have each disposition, and which of those from `first` on have none, at most `most`. A message of
   * which no single event was met counts as one.
   */
  sum(first: number, most: number): DispositionSum {
    const last = this.#last;
    const counts = Object.fromEntries(order.map((name) => [name, 0])) as Record<Disposition, number>; // all of them
    const firstUnknown: AcceptedNumber[] = [];
    let [unknown, unopened, unknownBefore] = [0, 0, 0];
    const miss = (accepted: AcceptedNumber): void => {
      if (accepted.number < first) unknownBefore++;
      else if (unknown++ < most) firstUnknown.push(accepted);
    };
    for (let number = 1; number <= last; number++) {
      const isPage = number % pageSize === 0 && !this.#pages.has(number / pageSize);
      if (isPage && number + pageSize <= Math.min(first, last)) {
        unknownBefore += pageSize;
        number += pageSize - 1;
        continue;
      }
      const events = this.#eventsOf(number);
      const isSingle = this.#placeOf(number) === 0;
      if (isSingle && (events[0] ?? 0) === dispositions.waiting) unopened++;
      for (const [index, bits] of events.entries()) {
        const disposition = order.find((name) => (bits & dispositions[name]) !== 0);
        if (disposition !== undefined) counts[disposition]++;
        else miss(isSingle ? { number } : { number, line: index + 1, lines: events.length });
      }
    }
    return { counts, unopened, unknown, firstUnknown, unknownBefore };
  }

  /** The dispositions of each event of a message; of the message itself where no event of it was met. */
  #eventsOf(number: number): readonly number[] {
    const whole = this.#pages.get(Math.floor(number / pageSize))?.whole[number % pageSize] ?? 0;
    const place = this.#placeOf(number);
    if (place === 0) return [whole];
    return Array.from(this.#lines.of(place), (bits) => bits | whole);
  }

  #of({ number, line }: AcceptedNumber): number {
    const whole = this.#pages.get(Math.floor(number / pageSize))?.whole[number % pageSize] ?? 0;
    const place = line === undefined ? 0 : this.#placeOf(number);
    return place === 0 || line === undefined ? whole : whole | this.#lines.get(place, line);
  }

  #placeOf(number: number): number {
    return this.#pages.get(Math.floor(number / pageSize))?.lines?.[number % pageSize] ?? 0;
  }

  #pageOf(number: number): Page {
    const index = Math.floor(number / pageSize);
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = { whole: new Uint8Array(pageSize), lines: undefined };
      this.#pages.set(index, page);
    }
    return page;
  }
}

export interface DispositionSum {
  readonly counts: Readonly<Record<Disposition, number>>;
  /** Waiting messages whose number of events is unknown. */
  readonly unopened: number;
  /** Events before `first` of which nothing is known. */
  readonly unknownBefore: number;
  readonly unknown: number;
  readonly firstUnknown: readonly AcceptedNumber[];
}
