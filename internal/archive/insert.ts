import { sql } from "kysely";
import { isCustom, isMoney } from "../casino/event.ts";
import type { Database } from "../postgres/connect.ts";
import { copyInto } from "../postgres/copy.ts";
import { CopyRows } from "../postgres/copy-rows.ts";
import { sqlState, uniqueViolation } from "../postgres/sql-state.ts";
import type { EventRow, Refusal } from "./row.ts";

/** The table's columns, each with how it is written. */
const columns: readonly (readonly [name: string, write: (rows: CopyRows, row: EventRow) => void])[] = [
  ["client_id", (rows, { client }) => rows.text(client)],
  ["source", (rows, { source }) => rows.text(source)],
  ["id", (rows, { event }) => rows.bigint(event.id)],
  ["type", (rows, { event }) => rows.text(event.type)],
  ["player_id", (rows, { event }) => rows.bigint(isCustom(event) ? undefined : event.player_id)],
  ["game_id", (rows, { event }) => rows.bigint("game_id" in event ? event.game_id : undefined)],
  ["amount", (rows, { event }) => rows.bigint(isMoney(event) ? event.amount : undefined)],
  ["currency", (rows, { event }) => rows.text(isMoney(event) ? event.currency : undefined)],
  ["has_won", (rows, { event }) => rows.boolean("has_won" in event ? event.has_won : undefined)],
  ["created_at", (rows, { event }) => rows.instant(Date.parse(event.created_at))],
  ["data", (rows, { event }) => rows.text(isCustom(event) ? JSON.stringify(event.data) : undefined)],
  ["amount_eur", (rows, { event }) => rows.bigint(isMoney(event) ? event.amount_eur : undefined)],
  ["player_email", (rows, { event }) => rows.text(event.player?.email)],
  [
    "player_last_signed_in_at",
    (rows, { event }) => rows.instant(milliseconds(event.player?.last_signed_in_at)),
  ],
  ["description", (rows, { event }) => rows.text(event.description)],
  ["rate", (rows, { rate }) => rows.numeric(rate?.value)],
  ["rate_at", (rows, { rate }) => rows.instant(milliseconds(rate?.at))],
  ["stored_at", (rows, { storedAt }) => rows.instant(storedAt)],
  ["log_sequence", (rows, { sequence }) => rows.bigint(sequence)],
];

function milliseconds(timestamp: string | null | undefined): number | undefined {
  return timestamp == null ? undefined : Date.parse(timestamp);
}

const statement = `copy events (${columns.map(([name]) => name).join(", ")}) from stdin (format binary)`;

/** Rows ready to be sent. */
export interface Insert {
  /** In the order of the key, each key once. */
  readonly rows: readonly EventRow[];
  readonly bytes: Buffer;
}

/** Prepares rows while the previous batch is in flight. Of rows with the same client, source and id the first counts. */
export function insertOf(rows: readonly EventRow[]): Insert {
  // Always in the same order, so that two archivers with the same keys wait for each other instead of deadlocking.
  const sorted = [...rows].sort(byKey);
  const distinct = sorted.filter((row, index) => {
    const before = sorted[index - 1];
    return before === undefined || byKey(before, row) !== 0;
  });
  return { rows: distinct, bytes: bytesOf(distinct) };
}

function bytesOf(rows: readonly EventRow[]): Buffer {
  const written = new CopyRows(columns.length);
  for (const row of rows) {
    written.row();
    for (const [, write] of columns) write(written, row);
  }
  return written.bytes();
}

/**
 * Adds rows to the table of events, all or nothing, except those that exist already by client, source and id.
 *
 * COPY costs Postgres half of what `insert … on conflict do nothing` does: it writes a page of rows at a time and looks
 * none up first. Repeated events are rare; they cost one more query.
 */
export class EventsTable {
  readonly #db: Database;
  /** The last rows existed already, so the next ones may too. */
  #expectsCopies = false;

  constructor(db: Database) {
    this.#db = db;
  }

  /** @returns how many rows were added @throws Postgres' error; then none was */
  async add({ rows, bytes }: Insert, signal: AbortSignal): Promise<number> {
    if (!this.#expectsCopies && (await this.#copy(bytes, signal))) return rows.length;
    for (;;) {
      const missing = await this.#missing(rows, signal);
      this.#expectsCopies = missing.length < rows.length;
      if (missing.length === 0) return 0;
      if (await this.#copy(this.#expectsCopies ? bytesOf(missing) : bytes, signal)) return missing.length;
      // Another archiver was faster with some of them.
    }
  }

  /** @returns false when at least one row exists already: then none was added */
  async #copy(bytes: Buffer, signal: AbortSignal): Promise<boolean> {
    try {
      await copyInto(this.#db, statement, bytes, signal);
      return true;
    } catch (err) {
      if (sqlState(err) === uniqueViolation) return false;
      throw err;
    }
  }

  async #missing(rows: readonly EventRow[], signal: AbortSignal): Promise<readonly EventRow[]> {
    const clients = rows.map(({ client }) => client);
    const sources = rows.map(({ source }) => source);
    const ids = rows.map(({ event }) => event.id);
    const query = sql<{ position: string }>`
      select position from unnest(${clients}::text[], ${sources}::text[], ${ids}::bigint[])
        with ordinality as keys (client_id, source, id, position)
      where not exists (
        select from events
        where events.client_id = keys.client_id and events.source = keys.source and events.id = keys.id)
      order by position`;
    const { rows: found } = await query.execute(this.#db, { signal });
    return found.flatMap(({ position }) => rows[Number(position) - 1] ?? []);
  }
}

function byKey(a: EventRow, b: EventRow): number {
  if (a.client !== b.client) return a.client < b.client ? -1 : 1;
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  return a.event.id - b.event.id;
}

// SQLSTATE classes that only the values can cause: data exceptions, constraints, sizes of an index entry.
const valueClasses = ["22", "23", "54"];

/** Why Postgres refuses these values; undefined when they are not to blame. */
export function refusalOf(err: unknown): Refusal | undefined {
  const state = sqlState(err);
  if (!(err instanceof Error) || state === undefined || !valueClasses.includes(state.slice(0, 2)))
    return undefined;
  const constraint = "constraint" in err ? err.constraint : undefined;
  if (constraint === "events_client_id_fkey")
    return { reason: "unknown_client", because: "The event's client is not registered." };
  if (constraint === "events_type_fkey")
    return { reason: "unknown_type", because: "The event's type is not registered." };
  return { reason: "invalid_event", because: `Postgres cannot keep the event: ${err.message}.` };
}
