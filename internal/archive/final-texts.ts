import { type RawBuilder, sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { millisecondsOf } from "../postgres/instant.ts";
import { archivedEvent, columns, type Row } from "./find-events.ts";
import { withinBytes } from "./page-bytes.ts";

/** A final event from the archive, with the content of its message in CASINO_EVENTS. */
export interface FinalText {
  readonly client: string;
  readonly source: string;
  readonly id: number;
  readonly type: string;
  readonly playerId: number | undefined;
  readonly text: string;
  /** Its sequence in CASINO_EVENTS; undefined if it was not archived. */
  readonly sequence: number | undefined;
  /** When CASINO_EVENTS stored it, in ms since the epoch. */
  readonly storedAt: number;
}

/** Events in order. */
export interface FinalsPage {
  readonly finals: readonly FinalText[];
  /** Whether more may follow: the page is full, by their number or by their bytes. */
  readonly hasMore: boolean;
}

/** Where a page of `finalsByStoring` ends. */
export interface StoringPosition {
  /** In ms since the epoch. */
  readonly storedAt: number;
  readonly source: string;
  readonly id: number;
}

/** A part of the log: the sequences between these two, exclusive. */
interface Between {
  readonly after: number;
  readonly before: number;
}

/**
 * A page of a client's events, by their sequences in CASINO_EVENTS.
 * @param condition an additional condition on rows of `events`
 * @throws Unavailable
 */
export function finalsBySequence(
  db: Database,
  client: string,
  { after, before }: Between,
  condition: RawBuilder<unknown>,
  limit: number,
  signal?: AbortSignal,
): Promise<FinalsPage> {
  const which = sql`
    client_id = ${client} and log_sequence > ${after}::bigint and log_sequence < ${before}::bigint and ${condition}
    order by log_sequence`;
  return readPage(db, which, limit, signal);
}

/**
 * A page of events in the order in which CASINO_EVENTS stored them.
 * @param after the end of the previous page; undefined = from the beginning
 * @throws Unavailable
 */
export function finalsByStoring(
  db: Database,
  condition: RawBuilder<unknown>,
  after: StoringPosition | undefined,
  limit: number,
  signal?: AbortSignal,
): Promise<FinalsPage> {
  const beyond =
    after === undefined
      ? sql`true`
      : sql`(stored_at, source, id) > (${new Date(after.storedAt)}, ${after.source}, ${after.id}::bigint)`;
  return readPage(db, sql`${condition} and ${beyond} order by stored_at, source, id`, limit, signal);
}

/** One event; undefined if it is not in the archive. @throws Unavailable */
export async function finalOf(
  db: Database,
  { client, source, id }: Pick<FinalText, "client" | "source" | "id">,
  signal?: AbortSignal,
): Promise<FinalText | undefined> {
  const which = sql`client_id = ${client} and source = ${source} and id = ${id}::bigint`;
  return (await readPage(db, which, 1, signal)).finals[0];
}

interface FinalRow extends Row {
  readonly log_sequence: string | null;
  readonly stored_at_ms: string;
}

async function readPage(
  db: Database,
  which: RawBuilder<unknown>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<FinalsPage> {
  const query = withinBytes(sql<FinalRow>`
    select ${columns}, log_sequence, ${millisecondsOf("stored_at")} as stored_at_ms
    from events where ${which} limit ${limit}`);
  return asking(signal, async () => {
    const { rows } = await query.execute(db, signal && { signal });
    const hasMore = rows.length === limit || Number(rows[0]?.found) > rows.length;
    return { finals: rows.map(finalText), hasMore };
  });
}

function finalText(row: FinalRow): FinalText {
  const { client_id: client, source, ...event } = archivedEvent(row);
  return {
    client,
    source,
    id: event.id,
    type: event.type,
    playerId: event.player_id,
    text: JSON.stringify(event),
    sequence: row.log_sequence === null ? undefined : Number(row.log_sequence),
    storedAt: Number(row.stored_at_ms),
  };
}
