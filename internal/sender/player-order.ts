/** Something that waits in CASINO_RETRY for its player's turn. */
interface Place {
  /** In CASINO_EVENTS; 0 where nobody knows it. */
  readonly sequence: number;
  due: number;
}

/**
 * Whose turn it is where a destination wants the events of each player one after the other, as the log has them. It knows all
 * deliveries that wait in CASINO_RETRY: as long as one of a player waits there, everything of that player that comes later has
 * to wait behind it, and nobody else.
 */
export class PlayerOrder {
  readonly #busy = new Set<number>();
  /** By player: what waits, by a name that the delivery keeps through its attempts. */
  readonly #waiting = new Map<number, Map<string, Place>>();

  /** Whether something of this player is on its way, or waits to be tried again. */
  isHeldUp(player: number): boolean {
    return this.#busy.has(player) || this.#waiting.has(player);
  }

  isBusy(player: number): boolean {
    return this.#busy.has(player);
  }

  /** A call with an event of this player begins; `leave` has to follow. */
  enter(player: number): void {
    this.#busy.add(player);
  }

  leave(player: number): void {
    this.#busy.delete(player);
  }

  /** Whether it is known to wait. */
  knows(player: number, name: string): boolean {
    return this.#waiting.get(player)?.has(name) === true;
  }

  /** Something waits in CASINO_RETRY from now on, or until another time than before. */
  waits(player: number, name: string, sequence: number | undefined, due: number): void {
    let places = this.#waiting.get(player);
    if (places === undefined) {
      places = new Map();
      this.#waiting.set(player, places);
    }
    const place = places.get(name);
    if (place === undefined) places.set(name, { sequence: sequence ?? 0, due });
    else place.due = due;
  }

  /** It waits no longer: delivered, or set aside. */
  isDone(player: number, name: string): void {
    const places = this.#waiting.get(player);
    places?.delete(name);
    if (places?.size === 0) this.#waiting.delete(player);
  }

  /** When the first of this player's is due, where that is another one than this; undefined when it is this one's turn. */
  dueBefore(player: number, name: string): number | undefined {
    let first: { readonly name: string; readonly place: Place } | undefined;
    for (const [each, place] of this.#waiting.get(player) ?? [])
      if (first === undefined || place.sequence < first.place.sequence) first = { name: each, place };
    return first === undefined || first.name === name ? undefined : first.place.due;
  }
}
