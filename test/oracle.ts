/**
 * What the pipeline must make of an event, worked out a second time and another way than in internal/: from the words
 * of the documentation, slowly and plainly. Shares no code with it.
 */
export interface OracleEvent {
  readonly [key: string]: unknown;
  readonly id: number;
  readonly type: string;
  readonly player_id: number;
  readonly game_id?: number;
  readonly amount?: number;
  readonly currency?: string;
  readonly has_won?: boolean;
  readonly created_at: string;
}

export const oracleRates: Readonly<Record<string, string>> = {
  USD: "1.0684",
  GBP: "0.8612",
  NZD: "1.7455",
  BTC: "0.0000105",
};

const decimals: Readonly<Record<string, number>> = { EUR: 2, USD: 2, GBP: 2, NZD: 2, BTC: 8 };
const emails: Readonly<Record<number, string>> = {
  10: "john@example.com",
  11: "jane@example.com",
  12: "bob@example.com",
  13: "rick@example.com",
  14: "morty@example.com",
};
const titles = [
  "Rocket Dice",
  "It's bananas!",
  "Wild Spin",
  "Book of Dead",
  "Pirate Jackpots",
  "Western Gold 2",
  "Super Rainbow Megaways",
  "#BarsAndBells",
  "Fortune Three",
  "ChilliPop",
];
const months = "January February March April May June July August September October November December".split(
  " ",
);

/** Integer division, half up. */
const halfUp = (numerator: bigint, denominator: bigint): bigint => {
  const whole = numerator / denominator;
  return (numerator % denominator) * 2n >= denominator ? whole + 1n : whole;
};

export function euroCents(amount: number, currency: string): number {
  if (currency === "EUR") return amount;
  const [whole = "0", fraction = ""] = (oracleRates[currency] ?? "").split(".");
  const rate = BigInt(whole + fraction);
  // amount / 10^d / (rate / 10^f) * 100
  const scaled = BigInt(amount) * 100n * 10n ** BigInt(fraction.length);
  return Number(halfUp(scaled, rate * 10n ** BigInt(decimals[currency] ?? 2)));
}

function money(amount: number, currency: string): string {
  const d = decimals[currency] ?? 2;
  const unit = 10 ** d;
  if (amount % unit === 0) return String(amount / unit);
  const text = `${Math.floor(amount / unit)}.${String(amount % unit).padStart(d, "0")}`;
  return currency === "BTC" ? text.replace(/0+$/, "") : text;
}

function moment(created: string): string {
  const date = new Date(created);
  const day = date.getUTCDate();
  const ending =
    day > 10 && day < 14
      ? "th"
      : (({ 1: "st", 2: "nd", 3: "rd" } as Record<number, string>)[day % 10] ?? "th");
  return `${months[date.getUTCMonth()]} ${day}${ending}, ${date.getUTCFullYear()} at ${created.slice(11, 16)} UTC`;
}

/** The final event as text, but for the player's last sign-in, which only the database knows. */
export function finalText(raw: OracleEvent, lastSignedInAt: ReadonlyMap<number, string>): string {
  const final: Record<string, unknown> = { id: raw.id, player_id: raw.player_id };
  if (raw.game_id !== undefined) final.game_id = raw.game_id;
  final.type = raw.type;
  const { amount = 0, currency = "" } = raw;
  const isMoney = raw.type === "bet" || raw.type === "deposit";
  if (isMoney) Object.assign(final, { amount, currency });
  if (raw.type === "bet") final.has_won = raw.has_won ?? false;
  final.created_at = raw.created_at;
  const cents = isMoney ? euroCents(amount, currency) : 0;
  if (isMoney) final.amount_eur = cents;
  const email = emails[raw.player_id];
  if (email !== undefined) final.player = { email, last_signed_in_at: lastSignedInAt.get(raw.player_id) };
  const who = `Player #${raw.player_id}${email === undefined ? "" : ` (${email})`}`;
  const game = `a game "${titles[(raw.game_id ?? 100) - 100]}"`;
  const sum = `${money(amount, currency)} ${currency}${currency === "EUR" ? "" : ` (${money(cents, "EUR")} EUR)`}`;
  const deeds: Record<string, string> = {
    game_start: `started playing ${game}`,
    game_stop: `stopped playing ${game}`,
    bet: `placed a bet of ${sum} on ${game}`,
    deposit: `made a deposit of ${sum}`,
  };
  final.description = `${who} ${deeds[raw.type]} on ${moment(raw.created_at)}.`;
  return JSON.stringify(final);
}

/** A player on a leaderboard. */
export interface Rank {
  readonly id: number;
  readonly count: number;
  readonly client_id: string;
}

const boards = ["bets", "wins", "deposits"] as const;

/** The aggregates, folded from final events (those with `amount_eur`), each given once. */
export class Aggregates {
  total = 0;
  readonly #counts: Readonly<Record<(typeof boards)[number], Map<string, Rank>>> = {
    bets: new Map(),
    wins: new Map(),
    deposits: new Map(),
  };

  add(client: string, event: OracleEvent): void {
    this.total++;
    if (event.type === "bet") this.#count("bets", client, event.player_id, 1);
    if (event.type === "bet" && event.has_won === true) this.#count("wins", client, event.player_id, 1);
    if (event.type === "deposit") this.#count("deposits", client, event.player_id, Number(event.amount_eur));
  }

  /** The answer's `top_players_…` for `top=<most>`, of all clients or of one. */
  lists(most: number, client?: string): Readonly<Record<string, readonly Rank[]>> {
    return Object.fromEntries(
      boards.map((board) => [`top_players_${board}`, this.#best(board, most, client)]),
    );
  }

  /** The answer's `top_player_…`. */
  tops(client?: string): Readonly<Record<string, Rank | null>> {
    return Object.fromEntries(
      boards.map((board) => [`top_player_${board}`, this.#best(board, 1, client)[0] ?? null]),
    );
  }

  #count(board: (typeof boards)[number], client: string, player: number, more: number): void {
    const key = `${client} ${player}`;
    const count = (this.#counts[board].get(key)?.count ?? 0) + more;
    this.#counts[board].set(key, { id: player, count, client_id: client });
  }

  #best(board: (typeof boards)[number], most: number, client?: string): readonly Rank[] {
    return [...this.#counts[board].values()]
      .filter((rank) => client === undefined || rank.client_id === client)
      .sort((a, b) => b.count - a.count || compare(a.client_id, b.client_id) || a.id - b.id)
      .slice(0, most);
  }
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The tops of the aggregates of the client `casino`, folded from its final events. */
export function tops(finals: readonly OracleEvent[]): Readonly<Record<string, Rank | null>> {
  const aggregates = new Aggregates();
  for (const event of finals) aggregates.add("casino", event);
  return aggregates.tops();
}
