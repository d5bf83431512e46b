/**
 * Deliveries that may wait. Less than the consumer's max_ack_pending, by what is in hand and comes from the archive: beyond
 * that the broker would deliver the first of a player, which is last in the stream after each attempt, only once others are
 * settled that wait behind it.
 */
const usualMost = 40_000;

/** Something that waits in CASINO_RETRY for its player's turn. */
interface Place {
  /** Sequence in CASINO_EVENTS; 0 if unknown. */
  readonly sequence: number;
  due: number;
}

/**
 * The order of an `ordered` destination: each player's events one after the other, as in the log. It knows all
 * deliveries in CASINO_RETRY. While one of a player waits there, all later events of that player wait behind it, and no
 * others.
 */
export class PlayerOrder {
  readonly #busy = new Set<number>();
  /** Waiting deliveries by player, then by the delivery's own key. */
  readonly #waiting = new Map<number, Map<string, Place>>();
  readonly #most: number;
  #size = 0;

  constructor(most = usualMost) {
    this.#most = most;
  }

  /** Whether so many deliveries wait that no event may be added from the log. */
  get isFull(): boolean {
    return this.#size >= this.#most;
  }

  /** Whether an event of this player is in flight or waits for another attempt. */
  isHeldUp(player: number): boolean {
    return this.#busy.has(player) || this.#waiting.has(player);
  }

  isBusy(player: number): boolean {
    return this.#busy.has(player);
  }

  /** Records that a call with an event of this player starts; `leave` must follow. */
  enter(player: number): void {
    this.#busy.add(player);
  }

  leave(player: number): void {
    this.#busy.delete(player);
  }

  /** Whether the delivery is known to wait. */
  knows(player: number, name: string): boolean {
    return this.#waiting.get(player)?.has(name) === true;
  }

  /** Records that a delivery waits in CASINO_RETRY, or its new due time. */
  waits(player: number, name: string, sequence: number | undefined, due: number): void {
    let places = this.#waiting.get(player);
    if (places === undefined) {
      places = new Map();
      this.#waiting.set(player, places);
    }
    const place = places.get(name);
    if (place === undefined) {
      places.set(name, { sequence: sequence ?? 0, due });
      this.#size++;
    } else place.due = due;
  }

  /** Records that a delivery no longer waits: it was delivered, or is a dead letter. */
  isDone(player: number, name: string): void {
    const places = this.#waiting.get(player);
    if (places?.delete(name)) this.#size--;
    if (places?.size === 0) this.#waiting.delete(player);
  }

  /** When the player's first delivery is due, if that is another one; undefined if it is this one's turn. */
  dueBefore(player: number, name: string): number | undefined {
    let first: { readonly name: string; readonly place: Place } | undefined;
    for (const [each, place] of this.#waiting.get(player) ?? [])
      if (first === undefined || place.sequence < first.place.sequence) first = { name: each, place };
    return first === undefined || first.name === name ? undefined : first.place.due;
  }
}
