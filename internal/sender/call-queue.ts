import type { Item } from "./item.ts";
import type { PlayerOrder } from "./player-order.ts";

/** Maximum bytes of a call's events; a call has at least one event. */
const mostCallBytes = 1024 * 1024;
/** The least delay before an item that waits for its player's turn is delivered again, in ms. */
const leastWaitMs = 250;

/** The next action with items in hand. */
type Turn =
  /** Call the receiver with these events. */
  | { readonly kind: "call"; readonly items: readonly Item[] }
  /** Another event of the player comes first: publish this one to CASINO_RETRY behind it. */
  | { readonly kind: "behind"; readonly item: Item }
  /** It came from CASINO_RETRY before its player's turn: hand it back with this delay. */
  | { readonly kind: "later"; readonly item: Item; readonly waitMs: number };

/** The items in hand that are due, in the order in which they came. */
export class CallQueue {
  readonly #order: PlayerOrder | undefined;
  #items: Item[] = [];

  /** @param order if each player's events go one after the other */
  constructor(order?: PlayerOrder) {
    this.#order = order;
  }

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    this.#items.push(item);
  }

  /** Returns items of a call to the front. */
  putBack(items: readonly Item[]): void {
    this.#items.unshift(...items);
  }

  /** All items that `next` has not returned yet. */
  takeAll(): readonly Item[] {
    return this.#items.splice(0);
  }

  /**
   * Returns the next action; undefined if nothing can be done now.
   * @param most maximum events of a call
   */
  next(most: number, now: number): Turn | undefined {
    return this.#order === undefined ? this.#first(most) : this.#firstInTurn(this.#order, most, now);
  }

  #first(most: number): Turn | undefined {
    const size = this.#callSize(this.#items, most);
    return size === 0 ? undefined : { kind: "call", items: this.#items.splice(0, size) };
  }

  /**
   * An event that has failed before goes alone, so that an event that the receiver refuses does not fail others again
   * and again.
   */
  #callSize(items: readonly Item[], most: number): number {
    const [first] = items;
    if (first === undefined) return 0;
    if (first.attempts > 0) return 1;
    let bytes = first.event.text.length;
    let size = 1;
    for (; size < Math.min(most, items.length); size++) {
      const item = items[size];
      if (item === undefined || item.attempts > 0) break;
      bytes += item.event.text.length;
      if (bytes > mostCallBytes) break;
    }
    return size;
  }

  #firstInTurn(order: PlayerOrder, most: number, now: number): Turn | undefined {
    const chosen: Item[] = [];
    const players = new Set<number>();
    for (const item of this.#items) {
      if (chosen.length === most) break;
      const { playerId } = item.event;
      if (playerId !== undefined) {
        if (order.isBusy(playerId) || players.has(playerId)) continue;
        const turn = chosen.length === 0 ? outOfTurn(order, playerId, item, now) : undefined;
        if (turn !== undefined) {
          this.#items = this.#items.filter((each) => each !== item);
          return turn;
        }
        if (isOutOfTurn(order, playerId, item)) continue;
        players.add(playerId);
      }
      if (chosen.length > 0 && item.attempts > 0) continue;
      chosen.push(item);
      if (item.attempts > 0) break;
    }
    const size = this.#callSize(chosen, most);
    if (size === 0) return undefined;
    const items = chosen.slice(0, size);
    this.#items = this.#items.filter((item) => !items.includes(item));
    return { kind: "call", items };
  }
}

function isOutOfTurn(order: PlayerOrder, player: number, item: Item): boolean {
  return item.hasWaited ? order.dueBefore(player, item.name) !== undefined : order.isHeldUp(player);
}

function outOfTurn(order: PlayerOrder, player: number, item: Item, now: number): Turn | undefined {
  if (!isOutOfTurn(order, player, item)) return undefined;
  if (!item.hasWaited) return { kind: "behind", item };
  const due = order.dueBefore(player, item.name) ?? now;
  return { kind: "later", item, waitMs: Math.max(leastWaitMs, due - now) };
}
