import { type Insertable, type RawBuilder, type Selectable, sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import type { Schema } from "../postgres/schema.ts";

/** A filter of archived events to send again. All conditions must hold. */
export interface ReplayFilter {
  /** When CASINO_EVENTS stored the event, inclusive. */
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
  /** Null = all types that the destination wants. */
  readonly types: readonly string[] | null;
  /** Only events without a recorded successful delivery, as far back as deliveries are kept. */
  readonly onlyUndelivered: boolean;
}

/** A request to the sender to send archived events to a destination. */
export type DeliveryRequest = {
  readonly id: string;
  readonly destination: string;
  readonly client: string;
  readonly createdAt: Date;
  /** The sender's position. */
  readonly position: unknown;
  /** The number of events that it has handled. */
  readonly sent: number;
} & (
  | { readonly kind: "resend"; readonly source: string; readonly eventId: number }
  | ({ readonly kind: "replay" } & ReplayFilter)
);

/** Requests that one event is sent to a destination again. @returns the request's id. @throws Unavailable */
export async function requestResend(
  db: Database,
  destination: { readonly id: string; readonly client: string },
  event: { readonly source: string; readonly id: number },
): Promise<string> {
  return add(db, destination, { kind: "resend", source: event.source, event_id: String(event.id) });
}

/** Requests that archived events are sent to a destination again. @returns the request's id. @throws Unavailable */
export async function requestReplay(
  db: Database,
  destination: { readonly id: string; readonly client: string },
  { from, to, types, onlyUndelivered }: ReplayFilter,
): Promise<string> {
  return add(db, destination, {
    kind: "replay",
    from_at: from,
    to_at: to,
    types: types && [...types],
    only_undelivered: onlyUndelivered,
  });
}

async function add(
  db: Database,
  { id, client }: { readonly id: string; readonly client: string },
  request: Omit<Insertable<Schema["delivery_requests"]>, "destination_id" | "client_id">,
): Promise<string> {
  const values = { destination_id: id, client_id: client, ...request };
  const insert = db.insertInto("delivery_requests").values(values).returning("id");
  return (await asking(undefined, () => insert.executeTakeFirstOrThrow())).id;
}

/**
 * The condition on rows of `events` for a replay, shared by counting and reading them.
 * @param destinationTypes the types that the destination wants; null = all
 */
export function replayedEvents(
  destination: { readonly id: string; readonly client: string; readonly types: readonly string[] | null },
  { from, to, types, onlyUndelivered }: ReplayFilter,
): RawBuilder<boolean> {
  const conditions = [
    sql`events.client_id = ${destination.client}`,
    sql`events.stored_at >= ${from}`,
    sql`events.stored_at < ${to}`,
  ];
  for (const wanted of [destination.types, types])
    if (wanted !== null) conditions.push(sql`events.type = any(${[...wanted]}::text[])`);
  if (onlyUndelivered)
    conditions.push(sql`not exists (
      select from deliveries
      where deliveries.client_id = events.client_id and deliveries.source = events.source
        and deliveries.event_id = events.id and deliveries.destination_id = ${destination.id}
        and deliveries.outcome = 'delivered')`);
  return sql.join(conditions, sql` and `);
}

/** How many events a replay would send now. @throws Unavailable */
export async function countReplayed(
  db: Database,
  destination: { readonly id: string; readonly client: string; readonly types: readonly string[] | null },
  filter: ReplayFilter,
  signal?: AbortSignal,
): Promise<number> {
  return asking(signal, async () => {
    const query = sql<{ n: string }>`
      select count(*) as n from events where ${replayedEvents(destination, filter)}`;
    const { rows } = await query.execute(db, signal && { signal });
    return Number(rows[0]?.n ?? 0);
  });
}

/**
 * Unfinished requests for the sender: of each of these destinations the oldest, so that one with many, or one that cannot
 * be served now, hides no other's.
 * @throws Unavailable
 */
export async function openRequests(
  db: Database,
  destinations: readonly string[],
  ofEach = 100,
  signal?: AbortSignal,
): Promise<readonly DeliveryRequest[]> {
  return asking(signal, async () => {
    const query = sql<Selectable<Schema["delivery_requests"]>>`
      select requests.* from unnest(${destinations}::text[]) as wanted (id) cross join lateral (
        select * from delivery_requests
        where destination_id = wanted.id and done_at is null order by id limit ${ofEach}
      ) as requests order by requests.id`;
    const { rows } = await query.execute(db, signal && { signal });
    return rows.map(readRequest);
  });
}

/** Records the sender's position in a request. @throws Unavailable */
export async function noteProgress(
  db: Database,
  id: string,
  { position, sent }: { readonly position: unknown; readonly sent: number },
  signal?: AbortSignal,
): Promise<void> {
  await changed(db, id, { position: JSON.stringify(position), sent: String(sent) }, signal);
}

/** Finishes a request. @param error a sentence for the destination's client if it failed. @throws Unavailable */
export async function finishRequest(
  db: Database,
  id: string,
  error: string | null = null,
  signal?: AbortSignal,
): Promise<void> {
  await changed(db, id, { done_at: sql<Date>`now()`, error }, signal);
}

async function changed(
  db: Database,
  id: string,
  values: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const update = db.updateTable("delivery_requests").set(values).where("id", "=", id);
  await asking(signal, () => update.execute(signal && { signal }));
}

function readRequest(row: Selectable<Schema["delivery_requests"]>): DeliveryRequest {
  const common = {
    id: row.id,
    destination: row.destination_id,
    client: row.client_id,
    createdAt: row.created_at,
    position: row.position,
    sent: Number(row.sent),
  };
  // The table's checks guarantee the columns of each kind.
  return row.kind === "resend"
    ? { ...common, kind: "resend", source: row.source ?? "", eventId: Number(row.event_id) }
    : {
        ...common,
        kind: "replay",
        from: row.from_at ?? new Date(0),
        to: row.to_at ?? new Date(0),
        types: row.types,
        onlyUndelivered: row.only_undelivered,
      };
}
