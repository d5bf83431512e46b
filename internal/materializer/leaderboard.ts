import type { PlayerTable } from "./player-table.ts";
import type { Tally } from "./tally.ts";

/** The most players anybody can ask for: the greatest value of the parameter `top`. */
export const boardSize = 100;

/**
 * The exact top hundred players of one client by one tally, updated with every change. It never looks at the other
 * players, because a tally only grows: a player enters the board with the event that raised the tally. A player below the
 * board costs one comparison, one on it at most a hundred. Ties: the lower player id is ahead.
 */
export class Leaderboard {
  readonly #tally: Tally;
  readonly #players: PlayerTable;
  readonly #members = new Uint32Array(boardSize); // player indices, best first
  #size = 0;

  constructor(players: PlayerTable, tally: Tally) {
    this.#players = players;
    this.#tally = tally;
  }

  /** Call it after every event that counts for a player's tally, even if it added zero. */
  raised(player: number): void {
    const last = this.#members[this.#size - 1] ?? 0;
    if (this.#size === boardSize && player !== last && !this.#ahead(player, last)) return;

    let position = this.#members.subarray(0, this.#size).indexOf(player);
    if (position < 0) position = this.#size < boardSize ? this.#size++ : boardSize - 1;
    while (position > 0) {
      const above = this.#members[position - 1] ?? 0;
      if (!this.#ahead(player, above)) break;
      this.#members[position] = above;
      position--;
    }
    this.#members[position] = player;
  }

  /** The indices of the best players, best first, at most `count`. */
  best(count: number): Uint32Array {
    return this.#members.subarray(0, Math.min(count, this.#size));
  }

  #ahead(a: number, b: number): boolean {
    const difference = this.#tally.compare(a, b);
    return difference > 0 || (difference === 0 && this.#players.idOf(a) < this.#players.idOf(b));
  }
}
