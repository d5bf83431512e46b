import { sql } from "kysely";
import type { NatsConnection } from "nats";
import { instant } from "../archive/instant.ts";
import { isObject } from "../jetstream/api.ts";
import { materializedSubject } from "../messages/subjects.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { Unavailable } from "../service/unavailable.ts";

/** The players compared, of each client and ranking: as many as the materializer returns. */
const mostPlayers = 100;
const timeoutMs = 5_000;
const rankings = ["bets", "wins", "deposits"] as const;

/** The compared aggregates of all clients, or of one. Counts as decimal text: sums may exceed 2^53. */
export interface Figures {
  readonly total: string;
  /** `<ranking> of <client>:<player>`, with its count, best first. */
  readonly players: ReadonlyMap<string, string>;
}

/** Stands for all clients in place of a name. */
export const everybody = "";

/**
 * The same figures from the rows of Postgres, by client; all clients first.
 * @param since only events that CASINO_EVENTS stored from then on, in ms since the epoch
 * @throws Unavailable
 */
export async function foldArchive(db: Database, since: number): Promise<ReadonlyMap<string, Figures>> {
  const from = instant(sql`${Math.floor(since)}::bigint`);
  return asking(undefined, async () => {
    const [totals, tops] = await Promise.all([
      sql<{ client: string; total: string }>`
        select client_id as client, count(*) as total from events where stored_at >= ${from} group by 1`.execute(
        db,
      ),
      sql<{ client: string; ranking: string; player: string; count: string }>`
        with players as (
          select client_id, player_id,
            count(*) filter (where type = 'bet') as bets,
            count(*) filter (where type = 'bet' and has_won) as wins,
            count(*) filter (where type = 'deposit') as made,
            coalesce(sum(amount_eur) filter (where type = 'deposit'), 0) as deposits
          from events where type in ('bet', 'deposit') and stored_at >= ${from} group by 1, 2
        ), ranked as (
          select client_id, player_id, ranking, count,
            row_number() over (partition by client_id, ranking order by count desc, player_id) as place
          from players, lateral (values
            ('bets', bets::numeric, bets > 0), ('wins', wins::numeric, wins > 0), ('deposits', deposits, made > 0)
          ) as boards (ranking, count, listed)
          where listed
        )
        select client_id as client, ranking, player_id::text as player, count::text as count
        from ranked where place <= ${mostPlayers} order by client_id, ranking, place`.execute(db),
    ]);
    const byClient = Map.groupBy(tops.rows, ({ client }) => client);
    const figures = new Map<string, Figures>([[everybody, ofAll(totals.rows, tops.rows)]]);
    for (const { client, total } of totals.rows) {
      const players = byClient.get(client) ?? [];
      figures.set(client, { total, players: new Map(players.map((row) => [nameOf(row), row.count])) });
    }
    return figures;
  });
}

type Place = { readonly client: string; readonly ranking: string; readonly player: string };
const nameOf = ({ client, ranking, player }: Place): string => `${ranking} of ${client}:${player}`;

/** How many rows have events stored in this very millisecond since the epoch. @throws Unavailable */
export async function countAt(db: Database, ms: number): Promise<number> {
  return asking(undefined, async () => {
    const { rows } = await sql<{ count: string }>`
      select count(*) as count from events where stored_at = ${instant(sql`${ms}::bigint`)}`.execute(db);
    return Number(rows[0]?.count);
  });
}

function ofAll(
  totals: readonly { readonly total: string }[],
  tops: readonly (Place & { readonly count: string })[],
): Figures {
  const players = rankings.flatMap((ranking) =>
    tops
      .filter((row) => row.ranking === ranking)
      .sort((a, b) => compare(BigInt(b.count), BigInt(a.count)) || compareClients(a, b))
      .slice(0, mostPlayers),
  );
  const total = totals.reduce((sum, row) => sum + BigInt(row.total), 0n);
  return { total: String(total), players: new Map(players.map((row) => [nameOf(row), row.count])) };
}

const compareClients = (a: Place, b: Place): number =>
  a.client === b.client ? compare(BigInt(a.player), BigInt(b.player)) : a.client < b.client ? -1 : 1;
const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** The figures of a materializer. @returns undefined when none answers @throws Unavailable when the answer is malformed */
export async function askMaterializer(nc: NatsConnection, client: string): Promise<Figures | undefined> {
  const query = { top: mostPlayers, ...(client === everybody ? {} : { client_id: client }) };
  let text: string;
  try {
    text = (await nc.request(materializedSubject, JSON.stringify(query), { timeout: timeoutMs })).string();
  } catch {
    return undefined;
  }
  // A sum beyond 2^53 keeps its digits.
  const answer: unknown = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value,
  );
  const fields = isObject(answer) ? answer : {};
  const players = rankings.flatMap((ranking) => {
    const list = fields[`top_players_${ranking}`];
    return (Array.isArray(list) ? list : []).map((entry: unknown): [string, string] => {
      const { id, count, client_id } = isObject(entry) ? entry : {};
      return [nameOf({ client: String(client_id), ranking, player: String(id) }), String(count)];
    });
  });
  const { events_total: total } = fields;
  if (typeof total !== "string") throw new Unavailable(`A materializer answers "${text.slice(0, 100)}".`);
  return { total, players: new Map(players) };
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
  const expected = archive ?? { total: "0", players: new Map<string, string>() };
  const found: string[] = [];
  const beside = refused > 0 ? ` and ${refused} refused by it` : "";
  if (BigInt(expected.total) + BigInt(refused) !== BigInt(materialized.total))
    found.push(
      `events of ${whose}: ${materialized.total} in /materialized, ${expected.total} in Postgres${beside}`,
    );
  if (refused > 0) return found;
  for (const name of new Set([...expected.players.keys(), ...materialized.players.keys()])) {
    const [here = "none", there = "none"] = [materialized.players.get(name), expected.players.get(name)];
    if (here !== there) found.push(`${name}: ${here} in /materialized, ${there} in Postgres`);
  }
  return found;
}
