import { sql } from "kysely";
import type { NatsConnection } from "nats";
import { serviceName } from "../materializer/nats-service.ts";
import type { Coverage } from "../materializer/replay.ts";
import { materializedSubject } from "../messages/subjects.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { instant } from "../postgres/instant.ts";
import { isObject, parseWithDigits } from "../service/json.ts";
import { Unavailable } from "../service/unavailable.ts";

/** The players compared, of each client and ranking: as many as the materializer returns. */
const mostPlayers = 100;
const timeoutMs = 5_000;
const rankings = ["bets", "wins", "deposits"] as const;

/** The compared aggregates of all clients, or of one. */
interface Figures {
  readonly total: number;
  /** `<ranking> of <client>:<player>`, with its count as decimal text: sums may exceed 2^53. */
  readonly players: ReadonlyMap<string, string>;
}

/** Stands for all clients in place of a name. */
export const everybody = "";

/** What the rows of Postgres amount to. */
export interface ArchivedFigures {
  /** By client, and of everybody. */
  readonly figures: ReadonlyMap<string, Figures>;
  /** How many of the events were stored in the very first millisecond. */
  readonly inFirstMs: number;
}

interface PlaceRow {
  readonly client: string;
  readonly ranking: string;
  readonly player: string;
  readonly count: string;
  /** Whether the player is among the best of all clients too. */
  readonly of_all: boolean;
}

/**
 * Computes the same figures from the rows of Postgres.
 * @param since only events that CASINO_EVENTS stored from then on, in ms since the epoch
 * @throws Unavailable
 */
export async function foldArchive(db: Database, since: number): Promise<ArchivedFigures> {
  const from = instant(sql`${Math.floor(since)}::bigint`);
  const [totals, places] = await asking(undefined, () =>
    Promise.all([
      sql<{ client: string; total: string; first: string }>`
        select client_id as client, count(*) as total, count(*) filter (where stored_at = ${from}) as first
        from events where stored_at >= ${from} group by 1`.execute(db),
      sql<PlaceRow>`
        with players as (
          select client_id, player_id,
            count(*) filter (where type = 'bet') as bets,
            count(*) filter (where type = 'bet' and has_won) as wins,
            count(*) filter (where type = 'deposit') as made,
            coalesce(sum(amount_eur) filter (where type = 'deposit'), 0) as deposits
          from events where type in ('bet', 'deposit') and stored_at >= ${from} group by 1, 2
        ), ranked as (
          select client_id, player_id, ranking, count,
            row_number() over (partition by client_id, ranking order by count desc, player_id) as place,
            row_number() over (partition by ranking order by count desc, client_id collate "C", player_id) as of_all
          from players, lateral (values
            ('bets', bets::numeric, bets > 0), ('wins', wins::numeric, wins > 0), ('deposits', deposits, made > 0)
          ) as boards (ranking, count, listed)
          where listed
        )
        select client_id as client, ranking, player_id::text as player, count::text as count,
          of_all <= ${mostPlayers} as of_all
        from ranked where place <= ${mostPlayers}`.execute(db),
    ]),
  );
  const playersOf = (rows: readonly PlaceRow[] = []) => new Map(rows.map((row) => [nameOf(row), row.count]));
  const byClient = Map.groupBy(places.rows, ({ client }) => client);
  const sum = (counts: readonly string[]) => counts.reduce((all, count) => all + Number(count), 0);
  const ofAll = {
    total: sum(totals.rows.map(({ total }) => total)),
    players: playersOf(places.rows.filter(({ of_all }) => of_all)),
  };
  const figures = new Map<string, Figures>([[everybody, ofAll]]);
  for (const { client, total } of totals.rows)
    figures.set(client, { total: Number(total), players: playersOf(byClient.get(client)) });
  return { figures, inFirstMs: sum(totals.rows.map(({ first }) => first)) };
}

const nameOf = ({ client, ranking, player }: Omit<PlaceRow, "count" | "of_all">): string =>
  `${ranking} of ${client}:${player}`;

interface Materializer {
  readonly total: number;
  /** Undefined before its first event. */
  readonly coverage: Coverage | undefined;
}

/** How long all of them may take to answer, and how long to wait after the last answer. */
const patience = { maxWait: 2_000, stall: 300 };

/** Asks every running materializer what it has counted, and from which events. */
export async function findMaterializers(nc: NatsConnection): Promise<readonly Materializer[]> {
  const found: Materializer[] = [];
  try {
    const replies = await nc.requestMany(`$SRV.STATS.${serviceName}`, "", { strategy: "stall", ...patience });
    for await (const reply of replies) {
      if (reply.data.length === 0) continue; // "no responders"
      const answer: unknown = reply.json();
      const endpoints = isObject(answer) && Array.isArray(answer.endpoints) ? answer.endpoints : [];
      const [endpoint]: unknown[] = endpoints;
      found.push(readMaterializer(isObject(endpoint) ? endpoint.data : undefined));
    }
  } catch {
    // Nobody listens there.
  }
  return found;
}

function readMaterializer(data: unknown): Materializer {
  const { events_total: total, since, events_at_since: first } = isObject(data) ? data : {};
  const at = Date.parse(String(since));
  return {
    total: Number(total ?? 0),
    coverage: Number.isNaN(at)
      ? undefined
      : { since: at, first: typeof first === "number" ? first : undefined },
  };
}

/** The figures of a materializer. @throws Unavailable when none answers, or the answer is malformed */
export async function askMaterializer(nc: NatsConnection, client: string): Promise<Figures> {
  const query = { top: mostPlayers, ...(client === everybody ? {} : { client_id: client }) };
  const reply = await nc
    .request(materializedSubject, JSON.stringify(query), { timeout: timeoutMs })
    .catch((cause: unknown) => {
      throw new Unavailable("The materializer is away: it does not answer.", { cause });
    });
  // A sum beyond 2^53 keeps its digits.
  const answer = parseWithDigits(reply.string());
  const fields = isObject(answer) ? answer : {};
  const players = rankings.flatMap((ranking) => {
    const list = fields[`top_players_${ranking}`];
    return (Array.isArray(list) ? list : []).map((entry: unknown): [string, string] => {
      const { id, count, client_id } = isObject(entry) ? entry : {};
      return [nameOf({ client: String(client_id), ranking, player: String(id) }), String(count)];
    });
  });
  const { events_total: total } = fields;
  if (typeof total !== "string")
    throw new Unavailable(`A materializer answers "${reply.string().slice(0, 100)}".`);
  return { total: Number(total), players: new Map(players) };
}

/**
 * What differs, one sentence each.
 * @param refused events that Postgres has refused: they are in the total, but nobody knows their players
 */
export function differences(
  client: string,
  archive: Figures | undefined,
  materialized: Figures,
  refused: number,
): string[] {
  const whose = client === everybody ? "all clients" : `client ${client}`;
  const expected = archive ?? { total: 0, players: new Map<string, string>() };
  const beside = refused > 0 ? ` and ${refused} refused by it` : "";
  const found =
    expected.total + refused === materialized.total
      ? []
      : [
          `events of ${whose}: ${materialized.total} in /materialized, ${expected.total} in Postgres${beside}`,
        ];
  if (refused > 0) return found;
  for (const name of new Set([...expected.players.keys(), ...materialized.players.keys()])) {
    const [here = "none", there = "none"] = [materialized.players.get(name), expected.players.get(name)];
    if (here !== there) found.push(`${name}: ${here} in /materialized, ${there} in Postgres`);
  }
  return found;
}
