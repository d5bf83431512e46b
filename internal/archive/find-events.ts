import { type RawBuilder, sql } from "kysely";
import { casinoTypes, type Player } from "../casino/event.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { instant, millisecondsOf } from "../postgres/instant.ts";
import { type Position, readCursor, writeCursor } from "./cursor.ts";
import { withinBytes } from "./page-bytes.ts";

/** Which events to list. All conditions must hold. */
export interface EventFilter {
  readonly client: string;
  readonly type?: string | undefined;
  readonly playerId?: number | undefined;
  /** Of `created_at`, inclusive, as `parseTimestamp` gives it. */
  readonly from?: string | undefined;
  /** Of `created_at`, exclusive, as `parseTimestamp` gives it. */
  readonly to?: string | undefined;
  /** Maximum events per page, at least 1; a page of large events has fewer. */
  readonly limit: number;
  /** The `next_cursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** An archived final event, with its keys in the usual order, then its client and source. */
export interface ArchivedEvent {
  readonly id: number;
  readonly player_id?: number;
  readonly game_id?: number;
  readonly type: string;
  readonly amount?: number;
  readonly currency?: string;
  readonly has_won?: boolean;
  readonly created_at: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly amount_eur?: number;
  readonly player?: Player;
  readonly description: string;
  readonly client_id: string;
  readonly source: string;
}

export interface EventPage {
  readonly events: readonly ArchivedEvent[];
  /** For the next page; null on the last one. */
  readonly next_cursor: string | null;
}

/**
 * One page of a client's events, by `created_at` descending, then source and id ascending.
 *
 * Each page starts where the one before ended, whatever was inserted since: following the cursors shows every event that
 * existed at the start once, and none twice.
 * @param signal aborts it; a timeout, the signal's or Postgres' own, is `Unavailable`
 * @throws CursorError for a malformed cursor, Unavailable when Postgres is away or too slow
 */
export async function findEvents(
  db: Database,
  filter: EventFilter,
  signal?: AbortSignal,
): Promise<EventPage> {
  const query = withinBytes(eventsQuery(filter));
  return asking(signal, async () => {
    const { rows } = await query.execute(db, signal && { signal });
    const shown = rows.slice(0, filter.limit);
    const last = Number(rows[0]?.found) > shown.length ? shown.at(-1) : undefined;
    return {
      events: shown.map(archivedEvent),
      next_cursor:
        last === undefined
          ? null
          : writeCursor({ createdAt: Number(last.created_at_ms), source: last.source, id: Number(last.id) }),
    };
  });
}

/** The query of `findEvents`. It reads one row more than a page, to know whether there is another page. */
export function eventsQuery({
  client,
  type,
  playerId,
  from,
  to,
  limit,
  cursor,
}: EventFilter): RawBuilder<Row> {
  const conditions = [sql`client_id = ${client}`];
  if (playerId !== undefined) conditions.push(sql`player_id = ${playerId}::bigint`);
  if (from !== undefined) conditions.push(sql`created_at >= ${at(Date.parse(from))}`);
  if (to !== undefined) conditions.push(sql`created_at < ${at(Date.parse(to))}`);
  const page = (...more: RawBuilder<unknown>[]) => sql<Row>`
    select ${columns} from events
    where ${sql.join([...conditions, ...more], sql` and `)}
    order by created_at desc, source, id
    limit ${limit + 1}`;
  // Two ranges of the index. As one condition, "earlier, or at the same time and (source, id) greater", the second part
  // would be a filter, and a page within many events of one time would read all of them.
  const ranges = cursor === undefined ? [[]] : rangesAfter(readCursor(cursor));
  const pagesOf = (ofType: RawBuilder<unknown>): RawBuilder<Row> => {
    const pages = ranges.map((range) => page(sql`type = ${ofType}`, ...range));
    return sql`(${sql.join(pages, sql`) union all (`)})`;
  };
  const ordered = (pages: RawBuilder<unknown>) => sql<Row>`
    select pages.* from ${pages} as pages
    order by created_at desc, source, id
    limit ${limit + 1}`;
  if (type !== undefined) return ordered(sql`(${pagesOf(sql`${type}`)})`);
  // The indexes have the type before the time, so a page over all types is merged from a page of each. That reads a few
  // times the rows, and saves an index. Only casino types have players.
  const types =
    playerId === undefined
      ? sql`(select name from event_types)`
      : sql`unnest(array[${sql.join([...casinoTypes])}]::text[])`;
  return ordered(sql`${types} as types (name) cross join lateral (${pagesOf(sql.ref("types.name"))})`);
}

function rangesAfter({ createdAt, source, id }: Position): readonly RawBuilder<unknown>[][] {
  return [
    [sql`created_at = ${at(createdAt)}`, sql`(source, id) > (${source}, ${id}::bigint)`],
    [sql`created_at < ${at(createdAt)}`],
  ];
}

const at = (ms: number) => instant(sql`${ms}::bigint`);

export const columns = sql`
  client_id, source, id, type, player_id, game_id, amount, currency, has_won, data, amount_eur, player_email,
  description, created_at, ${millisecondsOf("created_at")} as created_at_ms,
  ${millisecondsOf("player_last_signed_in_at")} as player_last_signed_in_at_ms`;

/** As `pg` returns it: bigint as text. */
export interface Row {
  readonly client_id: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly player_id: string | null;
  readonly game_id: string | null;
  readonly amount: string | null;
  readonly currency: string | null;
  readonly has_won: boolean | null;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly amount_eur: string | null;
  readonly player_email: string | null;
  readonly description: string;
  readonly created_at_ms: string;
  readonly player_last_signed_in_at_ms: string | null;
}

export function archivedEvent(row: Row): ArchivedEvent {
  return {
    id: Number(row.id),
    ...(row.player_id === null ? {} : { player_id: Number(row.player_id) }),
    ...(row.game_id === null ? {} : { game_id: Number(row.game_id) }),
    type: row.type,
    ...(row.amount === null ? {} : { amount: Number(row.amount) }),
    ...(row.currency === null ? {} : { currency: row.currency }),
    ...(row.has_won === null ? {} : { has_won: row.has_won }),
    created_at: timestamp(row.created_at_ms),
    ...(row.data === null ? {} : { data: row.data }),
    ...(row.amount_eur === null ? {} : { amount_eur: Number(row.amount_eur) }),
    ...(row.player_email === null ? {} : { player: playerOf(row.player_email, row) }),
    description: row.description,
    client_id: row.client_id,
    source: row.source,
  };
}

function playerOf(email: string, { player_last_signed_in_at_ms: at }: Row): Player {
  return { email, last_signed_in_at: at === null ? null : timestamp(at) };
}

const timestamp = (ms: string): string => new Date(Number(ms)).toISOString();
