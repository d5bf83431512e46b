import type { Fold, Rank } from "./fold.ts";
import { boardSize } from "./leaderboard.ts";
import { maxWindowSeconds } from "./window.ts";

/** The parameters of a request for aggregates. */
interface Query {
  /** 1 to 3600 */
  readonly windowSeconds: number;
  /** Only this client; absent = all. */
  readonly clientId?: string;
  /** How many players to list, 1 to 100; absent = no lists. */
  readonly top?: number;
}

const defaultWindowSeconds = 60;

/** Invalid parameters. The message has one sentence for each, fit for the client. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/**
 * Reads the parameters `window_size`, `client_id` and `top`, from an HTTP query string (all texts) or a JSON object.
 * Other names are ignored: monitors and caches add their own.
 * @throws QueryError with everything that is wrong.
 */
export function parseQuery(parameters: Readonly<Record<string, unknown>>): Query {
  const problems: string[] = [];
  const integer = (name: string, max: number): number | undefined => {
    const given = parameters[name];
    if (given === undefined) return undefined;
    const value = typeof given === "string" && /^\d{1,9}$/.test(given) ? Number(given) : given;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max) return value;
    problems.push(`${name} must be an integer from 1 to ${max}, not ${shown(given)}.`);
    return undefined;
  };
  const windowSeconds = integer("window_size", maxWindowSeconds) ?? defaultWindowSeconds;
  const top = integer("top", boardSize);
  const clientId = parameters.client_id;
  const isSlug = typeof clientId === "string" && /^[a-z0-9-]{1,40}$/.test(clientId);
  if (clientId !== undefined && !isSlug)
    problems.push(
      `client_id must be 1 to 40 lower-case letters, digits and hyphens, not ${shown(clientId)}.`,
    );
  if (problems.length > 0) throw new QueryError(problems.join(" "));
  return { windowSeconds, ...(isSlug ? { clientId } : {}), ...(top === undefined ? {} : { top }) };
}

/**
 * The aggregates as JSON text; sums beyond 2^53 are exact integers in it.
 * The answer's clock is the stream's (`Fold.clock`). Rates are rounded to two decimals and never negative.
 * @param now milliseconds since 1970
 */
export function answer(fold: Fold, query: Query, now: number): string {
  const clock = fold.clock(now);
  const rhythm = fold.rhythm(query.clientId);
  const total = rhythm?.total ?? 0;
  // At least a second, so that the first event alone does not make a rate of thousands.
  const ageSeconds = total === 0 ? 1 : Math.max(1, (clock - (rhythm?.first ?? clock)) / 1_000);
  const recent = rhythm?.recent(query.windowSeconds, clock) ?? 0;
  const best = (ranking: "bets" | "wins" | "deposits") =>
    fold.top(ranking, 1, query.clientId).map(player)[0] ?? null;
  return JSON.stringify(
    {
      events_total: total,
      events_per_minute: twoDecimals(total / (ageSeconds / 60)),
      events_per_second_moving_average: twoDecimals(recent / Math.min(query.windowSeconds, ageSeconds)),
      top_player_bets: best("bets"),
      top_player_wins: best("wins"),
      top_player_deposits: best("deposits"),
      ...(query.top === undefined
        ? {}
        : {
            top_players_bets: fold.top("bets", query.top, query.clientId).map(player),
            top_players_wins: fold.top("wins", query.top, query.clientId).map(player),
            top_players_deposits: fold.top("deposits", query.top, query.clientId).map(player),
          }),
    },
    (_key, value: unknown) => (typeof value === "bigint" ? rawJson(value.toString()) : value),
  );
}

function player({ id, count, clientId }: Rank) {
  return { id, count, client_id: clientId };
}

function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 100);
}

/** `JSON.rawJSON` of ES2026, which TypeScript's libraries do not have yet: a number too large for a double, as it is. */
function rawJson(text: string): unknown {
  return (JSON as JSON & { rawJSON(text: string): unknown }).rawJSON(text); // Node has it from version 21 on
}
