import { sql } from "kysely";
import type { NatsConnection } from "nats";
import { StreamMissing } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import type { StoredMessage } from "../jetstream/stored-message.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { type EventKey, eventOf, keyText } from "../messages/event-key.ts";
import {
  destinationOf,
  finalStage,
  retryStream,
  retrySubject,
  senderName,
  stageStream,
} from "../messages/subjects.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { type Check, holds, none, unchecked } from "./check.ts";
import { Names } from "./names.ts";
import { waitingIn } from "./waiting.ts";

/** A longer queue is not read: each message is a request. */
const mostWaiting = 20_000;
/** How often it reads on for deliveries that were tried meanwhile and wait again. */
const mostRounds = 20;
/** Undelivered events counted for one destination; beyond that, waiting ones are not looked for. */
const mostOpen = 50_000;
/**
 * Senders follow a change of a destination within this time: events stored meanwhile may have been judged by either
 * version.
 */
const changeMs = 10_000;
/** How far clocks of different machines may differ. */
const clockMarginMs = 60_000;

interface DeliveryCheckOptions {
  readonly nc: NatsConnection;
  readonly db: Database;
  /** How long attempts are kept in Postgres, in ms. */
  readonly retentionMs: number;
  /** Only events stored since then, in ms since the epoch; undefined = as far back as attempts are kept. */
  readonly since?: number | undefined;
  /** How many are named. */
  readonly most: number;
}

interface DestinationRow {
  readonly id: string;
  readonly client_id: string;
  readonly types: string[] | null;
  readonly since_ms: string;
  readonly log_sequence: string | null;
}

/**
 * Whether every final event that a destination wants was delivered, waits, or was set aside: of the events that its
 * consumer has acknowledged, that were stored since the destination last changed, and for as long as attempts are kept.
 * It reads upstream before downstream.
 * @throws Unavailable
 */
export async function deliveryCheck(options: DeliveryCheckOptions): Promise<Check> {
  const { nc, most } = options;
  const destinations = await destinationsOf(options);
  if (destinations.length === 0) return holds("delivered", "There are no destinations.");
  const { firstSeq } = await stateOf(nc, stageStream(finalStage));
  const done = new Map<string, number>();
  for (const { id, log_sequence } of destinations) {
    const consumer = await consumerOf(nc, stageStream(finalStage), senderName(id));
    const place = Number(log_sequence ?? 0);
    // Events that the log dropped before the destination got them still have to come from the archive.
    if (consumer !== undefined) done.set(id, firstSeq > place + 1 ? place : consumer.ackFloor);
  }
  const waiting = new WaitingDeliveries(nc);
  let lost = new Names(most);
  for (let round = 0; round < mostRounds; round++) {
    const found = await waiting.readOn();
    if (found === "too many")
      return unchecked("delivered", "Too many deliveries wait in CASINO_RETRY to be read.");
    if (found === "nothing new" && round > 0) break;
    lost = new Names(most);
    for (const destination of destinations)
      for (const key of await unfinished(options, destination, done.get(destination.id) ?? 0))
        if (!waiting.has(destination.id, key)) lost.add(`${keyText(key)} (to ${destination.id})`);
    if (lost.count === 0) break;
  }
  return none("delivered", lost, {
    good: "Every final event that a destination wants was delivered there, waits, was set aside or was discarded.",
    bad: "Final events were neither delivered to a destination that wants them, nor do they wait for it, nor were they set aside.",
  });
}

async function destinationsOf({
  db,
  retentionMs,
  since = 0,
}: DeliveryCheckOptions): Promise<readonly DestinationRow[]> {
  const from = Math.max(since, Date.now() - retentionMs + clockMarginMs);
  const query = sql<DestinationRow>`
    select id, client_id, types, log_sequence,
      floor(greatest(
        extract(epoch from case when updated_at = created_at then created_at
          else updated_at + ${changeMs}::float8 * interval '1 ms' end) * 1000,
        ${from}::float8))::bigint as since_ms
    from destinations left join destination_places on destination_id = id order by id`;
  return asking(undefined, async () => (await query.execute(db)).rows);
}

/** Archived events that the destination's consumer has acknowledged and no attempt has ended. */
async function unfinished(
  { db }: DeliveryCheckOptions,
  { id, client_id: client, types, since_ms }: DestinationRow,
  upTo: number,
): Promise<readonly EventKey[]> {
  const ofTypes = types === null ? sql`true` : sql`type = any(${[...types]}::text[])`;
  const query = sql<{ source: string; id: string }>`
    select source, id from events
    where client_id = ${client} and log_sequence <= ${upTo}::bigint and ${ofTypes}
      and stored_at >= to_timestamp(${since_ms}::float8 / 1000)
      and not exists (
        select from deliveries
        where deliveries.client_id = events.client_id and deliveries.source = events.source
          and deliveries.event_id = events.id and deliveries.destination_id = ${id}
          and deliveries.outcome in ('delivered', 'set_aside', 'discarded'))
    order by log_sequence limit ${mostOpen}`;
  const { rows } = await asking(undefined, () => query.execute(db));
  return rows.map((row) => ({ client, source: row.source, id: Number(row.id) }));
}

/**
 * What waits in CASINO_RETRY, or did at some moment of the reading. A delivery that is tried meanwhile and fails gets a
 * new place at the end, so it reads on until nothing new has come.
 */
class WaitingDeliveries {
  readonly #nc: NatsConnection;
  /** `<destination> <event>` */
  readonly #found = new Set<string>();
  #readTo = 0;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  has(destination: string, key: EventKey): boolean {
    return this.#found.has(`${destination} ${keyText(key)}`);
  }

  /** Reads what has come since the last time. @throws Unavailable */
  async readOn(): Promise<"too many" | "nothing new" | "more"> {
    try {
      const { messages, firstSeq, lastSeq } = await stateOf(this.#nc, retryStream);
      if (messages > mostWaiting) return "too many";
      if (lastSeq <= this.#readTo) return "nothing new";
      const range = { firstSeq: Math.max(firstSeq, this.#readTo + 1), lastSeq };
      this.#readTo = lastSeq;
      for await (const message of waitingIn(this.#nc, retryStream, retrySubject("*"), range))
        this.#add(message);
      return "more";
    } catch (err) {
      // No sender has ever run.
      if (err instanceof StreamMissing) return "nothing new";
      throw err;
    }
  }

  #add({ subject, headers }: StoredMessage): void {
    const destination = subject.slice(retrySubject("").length);
    // `<destination>:<client>:<source>:<id>:…`
    const key = eventOf(headers.get("Nats-Msg-Id").slice(destination.length + 1));
    if (key !== undefined && destinationOf(senderName(destination)) !== undefined)
      this.#found.add(`${destination} ${keyText(key)}`);
  }
}
