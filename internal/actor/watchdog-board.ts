/** The messages of one call of a step: sequences of the first and the last, and how many. */
export interface InHand {
  readonly first: number;
  readonly last: number;
  readonly messages: number;
}

/** A process has a handful of steps. */
export const mostPlaces = 16;
const headLength = 2;
const handLength = 3;

/**
 * Memory that the event loop writes and the watchdog's thread reads, so that the thread knows what is in hand even
 * when the event loop is blocked. Writing costs a few nanoseconds. Each step has a place of its own.
 */
export class WatchdogBoard {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #hands: Float64Array;

  constructor(memory = new SharedArrayBuffer(mostPlaces * handLength * 8 + (headLength + mostPlaces) * 4)) {
    this.memory = memory;
    this.#hands = new Float64Array(memory, 0, mostPlaces * handLength);
    this.#numbers = new Int32Array(memory, mostPlaces * handLength * 8);
  }

  /** The event loop has completed a turn. */
  beat(isDebugged: boolean): void {
    Atomics.add(this.#numbers, 0, 1);
    Atomics.store(this.#numbers, 1, isDebugged ? 1 : 0);
  }

  /** How many turns the event loop has completed. */
  get beats(): number {
    return Atomics.load(this.#numbers, 0);
  }

  /** A debugger may hold the process for any time. */
  get isDebugged(): boolean {
    return Atomics.load(this.#numbers, 1) === 1;
  }

  /** @param call a number never used before at this place */
  begin(place: number, call: number, { first, last, messages }: InHand): void {
    this.#hands.set([first, last, messages], place * handLength);
    Atomics.store(this.#numbers, headLength + place, call);
  }

  end(place: number): void {
    Atomics.store(this.#numbers, headLength + place, 0);
  }

  /** The number of the call under way at this place; 0 = none. */
  callAt(place: number): number {
    return Atomics.load(this.#numbers, headLength + place);
  }

  inHandAt(place: number): InHand {
    const [first = 0, last = 0, messages = 0] = this.#hands.subarray(place * handLength);
    return { first, last, messages };
  }
}
