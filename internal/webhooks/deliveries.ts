import { type RawBuilder, type Selectable, sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { instant } from "../postgres/instant.ts";
import type { Schema } from "../postgres/schema.ts";
import type { Attempt } from "./deliver.ts";
import type { DeliverableEvent } from "./message.ts";

/**
 * The result of an attempt: `set_aside` if the last one failed, `discarded` if the destination may no longer be called.
 */
export const outcomes = ["delivered", "failed", "set_aside", "discarded"] as const;
export type DeliveryOutcome = (typeof outcomes)[number];

/** One event of one attempt, to be recorded. */
export interface DeliveryRecord {
  readonly destination: string;
  readonly event: Pick<DeliverableEvent, "client" | "source" | "id" | "type" | "sequence">;
  /** Of the call. */
  readonly webhookId: string;
  /** From 1. */
  readonly attempt: number;
  readonly outcome: DeliveryOutcome;
  readonly result: Pick<Attempt, "status" | "durationMs" | "error" | "answer" | "at">;
}

/** Records attempts, all or none. @throws Unavailable */
export async function recordDeliveries(
  db: Database,
  records: readonly DeliveryRecord[],
  signal?: AbortSignal,
): Promise<void> {
  if (records.length === 0) return;
  const column = (of: (record: DeliveryRecord) => string | number | null | undefined, type: string) =>
    sql`${records.map((record) => of(record) ?? null)}::${sql.raw(type)}[]`;
  const statement = sql`
    insert into deliveries
      (destination_id, client_id, source, event_id, event_type, log_sequence, webhook_id, attempt, outcome, status,
       duration_ms, error, answer, at)
    select destination_id, client_id, source, event_id, event_type, log_sequence, webhook_id, attempt, outcome, status,
      duration_ms, error, answer, ${instant(sql`at`)}
    from unnest(
      ${sql.join([
        column(({ destination }) => destination, "text"),
        column(({ event }) => event.client, "text"),
        column(({ event }) => event.source, "text"),
        column(({ event }) => event.id, "bigint"),
        column(({ event }) => event.type, "text"),
        column(({ event }) => event.sequence, "bigint"),
        column(({ webhookId }) => webhookId, "text"),
        column(({ attempt }) => attempt, "integer"),
        column(({ outcome }) => outcome, "text"),
        column(({ result }) => result.status, "integer"),
        column(({ result }) => result.durationMs, "integer"),
        column(({ result }) => result.error, "text"),
        column(({ result }) => result.answer, "text"),
        column(({ result }) => result.at.getTime(), "bigint"),
      ])}
    ) as rows (destination_id, client_id, source, event_id, event_type, log_sequence, webhook_id, attempt, outcome,
      status, duration_ms, error, answer, at)`;
  return asking(signal, async () => {
    await statement.execute(db, signal && { signal });
  });
}

/** A filter of deliveries. All conditions must hold. */
export interface DeliveryFilter {
  /** Undefined = every client. */
  readonly client: string | undefined;
  /** Whether to show receivers' answers, which only their own client may see. */
  readonly withAnswers: boolean;
  readonly destination?: string | undefined;
  readonly outcome?: DeliveryOutcome | undefined;
  readonly source?: string | undefined;
  readonly eventId?: number | undefined;
  /** Of the attempt, inclusive, ms since the epoch. */
  readonly from?: number | undefined;
  /** Of the attempt, exclusive, ms since the epoch. */
  readonly to?: number | undefined;
  /** Page size, at least 1. */
  readonly limit: number;
  /** The `next_cursor` of the previous page. */
  readonly cursor?: string | undefined;
}

interface DeliveryPage {
  readonly deliveries: readonly ReturnType<typeof bodyOf>[];
  /** For the next page; null on the last one. */
  readonly next_cursor: string | null;
}

/** The rows of a page, plus one if there are more. @throws RangeError for a cursor that no page has returned */
export function deliveriesQuery({
  client,
  destination,
  outcome,
  source,
  eventId,
  from,
  to,
  limit,
  cursor,
}: DeliveryFilter): RawBuilder<Row> {
  const place = cursor === undefined ? undefined : readCursor(cursor);
  const conditions = [
    client !== undefined && sql`client_id = ${client}`,
    destination !== undefined && sql`destination_id = ${destination}`,
    outcome !== undefined && sql`outcome = ${outcome}`,
    // With this condition Postgres uses the partial index of these few rows.
    outcome !== undefined && outcome !== "delivered" && sql`outcome <> 'delivered'`,
    source !== undefined && sql`source = ${source}`,
    eventId !== undefined && sql`event_id = ${eventId}::bigint`,
    from !== undefined && sql`at >= ${instant(sql`${from}::bigint`)}`,
    to !== undefined && sql`at < ${instant(sql`${to}::bigint`)}`,
    place && sql`(at, id) < (${instant(sql`${place.at}::bigint`)}, ${place.id}::bigint)`,
  ].filter((condition) => condition !== undefined && condition !== false);
  const where = conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;
  return sql<Row>`select * from deliveries ${where} order by at desc, id desc limit ${limit + 1}`;
}

/** One page of deliveries, newest first. @throws RangeError for a cursor that no page has returned; Unavailable */
export async function findDeliveries(
  db: Database,
  filter: DeliveryFilter,
  signal?: AbortSignal,
): Promise<DeliveryPage> {
  const { limit, withAnswers } = filter;
  const query = deliveriesQuery(filter);
  return asking(signal, async () => {
    const { rows } = await query.execute(db, signal && { signal });
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return {
      deliveries: shown.map((row) => bodyOf(row, withAnswers)),
      next_cursor: last === undefined ? null : `${last.at.getTime()}.${last.id}`,
    };
  });
}

/** One delivery. @param client undefined = of every client, without the answer. @throws Unavailable */
export async function findDelivery(
  db: Database,
  id: string,
  client: string | undefined,
  signal?: AbortSignal,
) {
  return asking(signal, async () => {
    const ofClient = client === undefined ? sql`` : sql`and client_id = ${client}`;
    const query = sql<Row>`select * from deliveries where id = ${id}::bigint ${ofClient}`;
    const { rows } = await query.execute(db, signal && { signal });
    return rows.map((row) => bodyOf(row, client !== undefined))[0];
  });
}

/**
 * Deletes some of what is older: deliveries by the time of the attempt, or requests by the time at which they were done.
 * @param most maximum per call, because a long statement would hold up others
 * @returns the number deleted: less than `most` if none are left
 */
export async function deleteOlderThan(
  db: Database,
  table: "deliveries" | "delivery_requests",
  ageMs: number,
  most: number,
  signal?: AbortSignal,
): Promise<number> {
  const [name, at] = [sql.table(table), sql.ref(table === "deliveries" ? "at" : "done_at")];
  return asking(signal, async () => {
    const { numAffectedRows } = await sql`
      delete from ${name} where ctid = any(array(
        select ctid from ${name} where ${at} < now() - ${ageMs}::float8 * interval '1 ms' limit ${most}))`.execute(
      db,
      signal && { signal },
    );
    return Number(numAffectedRows ?? 0);
  });
}

type Row = Selectable<Schema["deliveries"]>;

/** @param withAnswer only for the destination's client */
function bodyOf(row: Row, withAnswer: boolean) {
  return {
    id: row.id,
    destination_id: row.destination_id,
    client_id: row.client_id,
    source: row.source,
    event_id: Number(row.event_id),
    event_type: row.event_type,
    webhook_id: row.webhook_id,
    attempt: row.attempt,
    outcome: row.outcome as DeliveryOutcome, // the table's own check
    status: row.status,
    duration_ms: row.duration_ms,
    error: row.error,
    ...(withAnswer ? { answer: row.answer } : {}),
    at: row.at.toISOString(),
  };
}

function readCursor(cursor: string): { readonly at: number; readonly id: string } {
  const [, at, id] = /^(\d{1,15})\.(\d{1,18})$/.exec(cursor) ?? [];
  if (at === undefined || id === undefined || Number(at) > 8.64e15)
    throw new RangeError(`no page has returned the cursor "${cursor}"`);
  return { at: Number(at), id };
}
