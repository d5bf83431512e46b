import type { Accepted } from "../messages/accepted.ts";
import type { FinalEvent } from "../messages/final-event.ts";
import { FoldedEvents } from "./folded-events.ts";
import { Leaderboard } from "./leaderboard.ts";
import { PlayerTable } from "./player-table.ts";
import { Tally } from "./tally.ts";
import { SlidingWindow } from "./window.ts";

/** The three things that players are ranked by. */
export const rankings = ["bets", "wins", "deposits"] as const;
export type Ranking = (typeof rankings)[number];

/** A player's place on a board: the count of bets or wins, or the sum of deposits in euro cents. */
export interface Rank {
  readonly id: number;
  readonly count: number | bigint;
  readonly clientId: string;
}

/** What is known of an event besides itself. */
interface Circumstances {
  /** Its accepted number, where its message has it. */
  readonly accepted?: Accepted | undefined;
  /** When it was folded, by the same clock as the `now` of questions, in ms since 1970. */
  readonly receivedAt?: number;
}

/** How many events there were, and when. Times are milliseconds since 1970. */
class Rhythm {
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

  apply(event: FinalEvent): void {
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
 * The aggregates of all final events and of each client's, in memory only. The order of different events does not affect
 * any figure. Not shared between threads; every call completes before the next. Memory: about 50 bytes per player, 76 KB
 * per client, and what `Fingerprints` and `AcceptedNumbers` document.
 */
export class Fold {
  readonly #folded: FoldedEvents;
  #all = new Rhythm();
  #clients = new Map<string, ClientFold>();
  #last: { readonly storedAt: number; readonly receivedAt: number | undefined } | undefined;

  /** @param windowMs the duplicate window of the stream the events come from; default 5 minutes */
  constructor(windowMs?: number) {
    this.#folded = new FoldedEvents(windowMs);
  }

  get folded(): Pick<FoldedEvents, "numbersSince" | "problem"> {
    return this.#folded;
  }

  /** Starts from nothing. */
  reset(): void {
    this.#folded.reset();
    this.#all = new Rhythm();
    this.#clients = new Map();
    this.#last = undefined;
  }

  /** Folds an event; false, and no change, when the same client, source and id was folded before. */
  apply(event: FinalEvent, { accepted, receivedAt }: Circumstances = {}): boolean {
    this.#last = { storedAt: event.storedAt, receivedAt };
    if (!this.#folded.add(event, accepted)) return false;
    this.#all.add(event.storedAt);
    let client = this.#clients.get(event.client);
    if (client === undefined) {
      client = new ClientFold(event.client);
      this.#clients.set(event.client, client);
    }
    client.apply(event);
    return true;
  }

  /** Figures of all events or of one client's; undefined for a client without events. */
  rhythm(clientId?: string): Rhythm | undefined {
    return clientId === undefined ? this.#all : this.#clients.get(clientId)?.rhythm;
  }

  /** How many events of each client were folded. */
  *totals(): Iterable<readonly [client: string, total: number]> {
    for (const [client, { rhythm }] of this.#clients) yield [client, rhythm.total];
  }

  /** The best players, best first: by count, then the lower client id, then the lower player id. @param count 1 to 100 */
  top(ranking: Ranking, count: number, clientId?: string): Rank[] {
    if (clientId !== undefined) return this.#clients.get(clientId)?.top(ranking, count) ?? [];
    // The best of all are among the best of each client.
    const candidates = Array.from(this.#clients.values(), (client) => client.top(ranking, count)).flat();
    return candidates.sort(byRank).slice(0, count);
  }

  /**
   * The stream's clock at `now`, in ms since 1970. If it runs ahead of this machine's, a just stored event still counts
   * as recent. Only the last event counts: once a wrong clock is corrected, the next event corrects this too.
   */
  clock(now: number): number {
    if (this.#last === undefined) return now;
    const { storedAt, receivedAt } = this.#last;
    return Math.max(now, receivedAt === undefined ? storedAt : now + storedAt - receivedAt);
  }
}

function byRank(a: Rank, b: Rank): number {
  if (a.count !== b.count) return a.count > b.count ? -1 : 1;
  if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
  return a.id - b.id;
}
