import { type RawBuilder, sql } from "kysely";
import { type EventKey, keyText } from "../messages/event-key.ts";
import { asking, type Database } from "../postgres/connect.ts";
import { instant } from "../postgres/instant.ts";

/** Events of one look-up: one round trip, and a few tens of milliseconds of Postgres. */
const batchSize = 5_000;
/** Look-ups in flight while the next batch is read. */
const concurrency = 2;

interface ArchiveBounds {
  /** The archiver has acknowledged everything up to here, so its rows exist. */
  readonly ackFloor: number;
  /** Rows of final events stored from then on, in ms since the epoch, must have their event in CASINO_EVENTS. */
  readonly since: number;
  /** When CASINO_EVENTS stored the last event to be read. */
  readonly lastAt: number;
  /** Postgres' retention may have deleted events stored before this time. */
  readonly keptSince: number;
}

/** An event without a row. */
interface Unarchived {
  readonly seq: number;
  readonly key: EventKey;
  /** When CASINO_EVENTS stored it, in ms since the epoch. */
  readonly storedAt: number;
}

/** Looks events up in Postgres, in batches, while they are read from CASINO_EVENTS. */
export class ArchiveLookup {
  /** Events with a row, by client. */
  readonly archived = new Map<string, number>();
  /** Events without a row that the archiver has not acknowledged yet, by client. */
  readonly waiting = new Map<string, number>();
  /** Events without a row although the archiver has acknowledged them. */
  readonly unarchived: Unarchived[] = [];
  readonly #db: Database;
  readonly #bounds: ArchiveBounds;
  /** Rows of events stored since `since`, and those of them stored before `lastAt`. */
  #found = 0;
  #foundBefore = 0;
  #storedEarlier = 0;
  #batch: Unarchived[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: unknown;

  constructor(db: Database, bounds: ArchiveBounds) {
    this.#db = db;
    this.#bounds = bounds;
  }

  /** Adds an event, once for each key. @throws Unavailable */
  async add(key: EventKey, seq: number, storedAt: number): Promise<void> {
    if (storedAt < this.#bounds.keptSince) return;
    this.#batch.push({ seq, key, storedAt });
    if (this.#batch.length < batchSize) return;
    this.#start();
    if (this.#running.size >= concurrency) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Events whose row has an earlier time: their producers sent them again. After `finish`. */
  get storedEarlier(): number {
    return this.#storedEarlier;
  }

  /** Finishes the look-ups. @throws Unavailable */
  async finish(): Promise<void> {
    this.#start();
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * How many rows have no event looked up, although CASINO_EVENTS should have it. After `finish`.
   * @param isAtRest whether nothing was stored meanwhile; otherwise rows from `lastAt` on may be of newer events
   * @throws Unavailable
   */
  async surplus(isAtRest: boolean): Promise<number> {
    const { rows } = await this.#ask(
      sql<{ count: string }>`select count(*) as count from events where ${this.#bounded(isAtRest)}`,
    );
    const waiting = this.waiting.values().reduce((sum, count) => sum + count, 0);
    const expected = isAtRest ? this.#found : this.#foundBefore;
    // A waiting event may have got its row since.
    return Math.max(0, Number(rows[0]?.count) - expected - waiting);
  }

  #bounded(isAtRest: boolean): RawBuilder<unknown> {
    const { since, lastAt } = this.#bounds;
    return isAtRest
      ? sql`stored_at >= ${at(since)}`
      : sql`stored_at >= ${at(since)} and stored_at < ${at(lastAt)}`;
  }

  /** The first `most` of those rows: those for which `isKnown` is false. @throws Unavailable */
  async strangers(
    isAtRest: boolean,
    isKnown: (key: EventKey) => boolean,
    most: number,
  ): Promise<readonly EventKey[]> {
    const found: EventKey[] = [];
    let after: Row = { client_id: "", source: "", id: "0" };
    for (;;) {
      const { rows } = await this.#ask(
        sql<Row>`
          select client_id, source, id from events
          where (client_id, source, id) > (${after.client_id}, ${after.source}, ${after.id}::bigint)
            and ${this.#bounded(isAtRest)}
          order by client_id, source, id limit 50000`,
      );
      for (const { client_id: client, source, id } of rows) {
        const key = { client, source, id: Number(id) };
        if (!isKnown(key) && found.push(key) >= most) return found.slice(0, most);
      }
      const last = rows.at(-1);
      if (last === undefined) return found;
      after = last;
    }
  }

  #start(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    const job = this.#lookUp(batch)
      .catch((err: unknown) => {
        this.#failure ??= err;
      })
      .finally(() => this.#running.delete(job));
    this.#running.add(job);
  }

  async #lookUp(batch: readonly Unarchived[]): Promise<void> {
    const { since, lastAt, ackFloor } = this.#bounds;
    // There are few texts and many rows: each pair of client and source is sent once.
    const pairs = new Map<string, { readonly place: number; readonly key: EventKey }>();
    const pairOf = ({ key }: Unarchived): number => {
      const name = `${key.client}:${key.source}`;
      const known = pairs.get(name);
      if (known !== undefined) return known.place;
      pairs.set(name, { place: pairs.size + 1, key });
      return pairs.size;
    };
    const places = batch.map(pairOf).join();
    const ids = batch.map(({ key }) => key.id).join();
    const times = batch.map(({ storedAt }) => storedAt).join();
    const keys = [...pairs.values()].map((pair) => pair.key);
    const { rows } = await this.#ask(
      sql<{ found: string; before: string; earlier: string; missing: string[] | null }>`
        select
          count(*) filter (where stored_at >= ${at(since)}) as found,
          count(*) filter (where stored_at >= ${at(since)} and stored_at < ${at(lastAt)}) as before,
          count(*) filter (where stored_at < ${instant(sql`time`)}) as earlier,
          array_agg(place) filter (where stored_at is null) as missing
        from unnest(${`{${places}}`}::int[], ${`{${ids}}`}::bigint[], ${`{${times}}`}::bigint[])
          with ordinality as wanted (pair, id, time, place)
        left join events on events.id = wanted.id
          and events.client_id = (${keys.map(({ client }) => client)}::text[])[pair]
          and events.source = (${keys.map(({ source }) => source)}::text[])[pair]`,
    );
    this.#found += Number(rows[0]?.found);
    this.#foundBefore += Number(rows[0]?.before);
    this.#storedEarlier += Number(rows[0]?.earlier);
    const missing = new Set(rows[0]?.missing?.map(Number));
    for (const [index, event] of batch.entries()) {
      const { client } = event.key;
      if (!missing.has(index + 1)) count(this.archived, client);
      else if (event.seq > ackFloor) count(this.waiting, client);
      else this.unarchived.push(event);
    }
  }

  async #ask<T>(query: { execute: (db: Database) => Promise<T> }): Promise<T> {
    return asking(undefined, () => query.execute(this.#db));
  }
}

const at = (ms: number) => instant(sql`${Math.floor(ms)}::bigint`);

interface Row {
  readonly client_id: string;
  readonly source: string;
  readonly id: string;
}

function count(counts: Map<string, number>, client: string): void {
  counts.set(client, (counts.get(client) ?? 0) + 1);
}

export const describeUnarchived = ({ key, seq }: Unarchived): string =>
  `${keyText(key)} (CASINO_EVENTS ${seq})`;
