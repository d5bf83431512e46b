import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { casinoTypes } from "../casino/event.ts";
import type { Database } from "../postgres/connect.ts";

// Deletes a player's personal data from existing rows. The database itself keeps them out of later rows
// (migrations/0011_erasures.ts).

const lookAgainMs = 20;

/**
 * Resolves once every insert has ended that may not have seen the current state of `erasures`, in the way in which
 * `create index concurrently` waits.
 * @param signal aborts it, because an insert may wait for another session's lock
 */
export async function untilInsertsOfBefore(db: Database, signal: AbortSignal): Promise<void> {
  const writers = sql`
    select virtualtransaction as id from pg_locks
    where locktype = 'relation' and relation = 'events'::regclass and mode = 'RowExclusiveLock' and granted
      and database = (select oid from pg_database where datname = current_database())`;
  const { rows } = await sql<{ ids: string[] | null }>`
    select array_agg(id) as ids from (${writers}) as writing`.execute(db, { signal });
  const before = rows[0]?.ids ?? [];
  for (let left = before.length; left > 0; ) {
    await sleep(lookAgainMs, undefined, { signal });
    const still = await sql<{ count: number }>`
      select count(*)::int as count from (${writers}) as writing where id = any(${before}::text[])`.execute(
      db,
      {
        signal,
      },
    );
    left = still.rows[0]?.count ?? 0;
  }
}

/** Rows per statement, which holds their locks and the connection for some ten milliseconds. */
const batchSize = 1_000;

interface Batch {
  readonly events: string;
  readonly answers: string;
  readonly read: string;
  readonly created_at: string | null;
  readonly source: string | null;
  readonly id: string | null;
}

export interface ErasedRows {
  /** Events with any of the player's data. */
  readonly events: number;
  /** Deliveries of the player's events with a receiver's answer, which may repeat what was sent. */
  readonly answers: number;
}

/**
 * Deletes the player's data from all existing rows, and the recorded answers to deliveries of the player's events, in
 * batches; a second run continues the first. Once `erasures` has the player and `untilInsertsOfBefore` has resolved, no
 * event can bring them back.
 */
export async function eraseFromArchive(
  db: Database,
  client: string,
  player: number,
  signal: AbortSignal,
): Promise<ErasedRows> {
  const erased = { events: 0, answers: 0 };
  for (const type of casinoTypes) {
    // Follows the index by player and type, so it visits each row once.
    let after: Pick<Batch, "created_at" | "source" | "id"> = { created_at: "infinity", source: "", id: "0" };
    for (;;) {
      const { rows } = await sql<Batch>`
        with page as (
          select ctid as place, created_at, source, id,
            player_email is not null or player_last_signed_in_at is not null as has_any
          from events
          where client_id = ${client} and player_id = ${player}::bigint and type = ${type}
            and created_at <= ${after.created_at}::timestamptz
            and (created_at < ${after.created_at}::timestamptz or (source, id) > (${after.source}, ${after.id}::bigint))
          order by created_at desc, source, id limit ${batchSize}
        ), changed as (
          update events set player_email = null, player_last_signed_in_at = null,
            description = without_email(description, events.player_id, events.player_email)
          from page where events.ctid = page.place and page.has_any
          returning 1
        ), answered as (
          update deliveries set answer = null
          from page
          where deliveries.client_id = ${client} and deliveries.source = page.source
            and deliveries.event_id = page.id and deliveries.answer is not null
          returning 1
        ), last as (
          select created_at::text, source, id from page order by page.created_at, page.source desc, page.id desc limit 1
        )
        select (select count(*) from changed) as events, (select count(*) from answered) as answers,
          (select count(*) from page) as read,
          (select created_at from last), (select source from last), (select id from last)`.execute(db, {
        signal,
      });
      const [batch] = rows;
      erased.events += Number(batch?.events);
      erased.answers += Number(batch?.answers);
      if (batch?.created_at == null || Number(batch.read) < batchSize) break;
      after = batch;
    }
  }
  return erased;
}

/** The player's e-mails in the archive, earlier ones included. */
export async function archivedEmails(
  db: Database,
  client: string,
  player: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { rows } = await sql<{ email: string }>`
    select distinct player_email as email from events
    where client_id = ${client} and player_id = ${player}::bigint and player_email is not null`.execute(db, {
    signal,
  });
  return rows.map(({ email }) => email);
}
