import { Leaderboard } from "./leaderboard.ts";
import { PlayerTable } from "./player-table.ts";
import { RecentIds } from "./recent-ids.ts";
import { Tally } from "./tally.ts";
import { SlidingWindow } from "./window.ts";

/** What the fold needs to know of a final event. */
export interface FoldEvent {
  readonly client: string;
  readonly source: string;
  /** Unique within client and source, 1 to 2^53-1. */
  readonly id: number;
  readonly type: string;
  /** Present on a bet and a deposit. */
  readonly playerId?: number | undefined;
  /** Euro cents, 0 to 2^53-1; present on a deposit. */
  readonly amountEur?: number | undefined;
  /** Present on a bet. */
  readonly hasWon?: boolean | undefined;
  /** The time at which the stream stored the event, milliseconds since 1970: its clock, also in a rebuild. */
  readonly storedAt: number;
}

/** The three things that players are ranked by. */
export const rankings = ["bets", "wins", "deposits"] as const;
export type Ranking = (typeof rankings)[number];

/** A player's place on a board: the count of bets or wins, or the sum of deposits in euro cents. */
export interface Rank {
  readonly id: number;
  readonly count: number | bigint;
  readonly clientId: string;
}

/** How many events there were, and when. Times are milliseconds since 1970. */
export class Rhythm {
  readonly #window = new SlidingWindow();
  #total = 0;
  #first = Number.POSITIVE_INFINITY;

  get total(): number {
    return this.#total;
  }

  /** Stored time of the earliest event; Infinity while there is none. */
  get first(): number {
    return this.#first;
  }

  add(storedAt: number): void {
    this.#total++;
    if (storedAt < this.#first) this.#first = storedAt;
    this.#window.add(storedAt);
  }

  /** Events in the last `seconds` (1 to 3600) before `now`. */
  recent(seconds: number, now: number): number {
    return this.#window.count(seconds, now);
  }
}

/** The aggregates of one client. */
class ClientFold {
  readonly rhythm = new Rhythm();
  readonly #players = new PlayerTable();
  readonly #tallies = { bets: new Tally(), wins: new Tally(), deposits: new Tally() };
  readonly #boards = {
    bets: new Leaderboard(this.#players, this.#tallies.bets),
    wins: new Leaderboard(this.#players, this.#tallies.wins),
    deposits: new Leaderboard(this.#players, this.#tallies.deposits),
  };
  readonly #clientId: string;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  apply(event: FoldEvent): void {
    this.rhythm.add(event.storedAt);
    if (event.playerId === undefined) return;
    if (event.type === "bet") {
      this.#raise("bets", event.playerId, 1);
      if (event.hasWon) this.#raise("wins", event.playerId, 1);
    } else if (event.type === "deposit") {
      this.#raise("deposits", event.playerId, event.amountEur ?? 0);
    }
  }

  top(ranking: Ranking, count: number): Rank[] {
    return Array.from(this.#boards[ranking].best(count), (index) => ({
      id: this.#players.idOf(index),
      count: this.#tallies[ranking].get(index),
      clientId: this.#clientId,
    }));
  }

  #raise(ranking: Ranking, playerId: number, by: number): void {
    const index = this.#players.indexOf(playerId);
    this.#tallies[ranking].add(index, by);
    this.#boards[ranking].raised(index);
  }
}

/**
 * The aggregates of all final events and of each client's, in memory only. The order in which different events
 * come does not matter to any figure. Not shared between threads; every call completes before the next.
 * Memory: about 50 bytes per player, 38 KB per client, and what `RecentIds` documents.
 */
export class Fold {
  readonly #seen = new RecentIds();
  readonly #all = new Rhythm();
  readonly #clients = new Map<string, ClientFold>();
  #latest = Number.NEGATIVE_INFINITY;

  /** Folds one event; false when the same client, source and id was folded before, which then changes nothing. */
  apply(event: FoldEvent): boolean {
    if (!this.#seen.add(event.client, event.source, event.id)) return false;
    this.#all.add(event.storedAt);
    if (event.storedAt > this.#latest) this.#latest = event.storedAt;
    let client = this.#clients.get(event.client);
    if (client === undefined) {
      client = new ClientFold(event.client);
      this.#clients.set(event.client, client);
    }
    client.apply(event);
    return true;
  }

  /** Of all events, or of one client's; undefined for a client of whom no event has come. */
  rhythm(clientId?: string): Rhythm | undefined {
    return clientId === undefined ? this.#all : this.#clients.get(clientId)?.rhythm;
  }

  /** The best players, best first: by count, then the lower client id, then the lower player id. @param count 1 to 100 */
  top(ranking: Ranking, count: number, clientId?: string): Rank[] {
    if (clientId !== undefined) return this.#clients.get(clientId)?.top(ranking, count) ?? [];
    // The best of all are among the best of each client.
    const candidates = Array.from(this.#clients.values(), (client) => client.top(ranking, count)).flat();
    return candidates.sort(byRank).slice(0, count);
  }

  /** Stored time of the latest event, milliseconds since 1970; -Infinity while there is none. */
  get latest(): number {
    return this.#latest;
  }
}

function byRank(a: Rank, b: Rank): number {
  if (a.count !== b.count) return a.count > b.count ? -1 : 1;
  if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
  return a.id - b.id;
}
