import { sql } from "kysely";
import {
  archivedEmails,
  type ErasedRows,
  eraseFromArchive,
  untilInsertsOfBefore,
} from "../archive/erased.ts";
import { asking, type Database } from "../postgres/connect.ts";

/** How much was erased, by place. */
export type Counts = Readonly<Record<string, number>>;

/** Records that a player's personal data were erased, without any of the data. */
export interface ErasureRecord {
  readonly client_id: string;
  readonly player_id: number;
  /** When it was last requested, as an ISO date-time. */
  readonly erased_at: string;
  readonly requested_by: string;
  /** Over all runs. */
  readonly counts: Counts;
}

/**
 * A player's personal data in Postgres, and the records of erasures. Everything here throws `Unavailable` while Postgres
 * is away.
 */
export class Erasures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The player's e-mails in Postgres, earlier ones included. */
  emails(client: string, player: number, signal: AbortSignal): Promise<readonly string[]> {
    return asking(signal, async () => {
      const { rows } = await sql<{ email: string }>`
        select email from players where client_id = ${client} and id = ${player}::bigint`.execute(this.#db, {
        signal,
      });
      const archived = await archivedEmails(this.#db, client, player, signal);
      return [...new Set([...rows.map(({ email }) => email), ...archived])];
    });
  }

  /**
   * Removes the player and records the erasure, in one transaction. From then on no event gets the data, and none brings
   * them into the archive.
   * @returns whether the player existed
   */
  begin(client: string, player: number, by: string, signal: AbortSignal): Promise<boolean> {
    return asking(signal, async () => {
      const { rows } = await sql<{ removed: number }>`
        with noted as (
          insert into erasures (client_id, player_id, erased_at, requested_by, counts)
          values (${client}, ${player}::bigint, now(), ${by}, '{}')
          on conflict (client_id, player_id) do update set erased_at = now(), requested_by = excluded.requested_by
        ), removed as (
          delete from players where client_id = ${client} and id = ${player}::bigint returning 1
        )
        select count(*)::int as removed from removed`.execute(this.#db, { signal });
      await untilInsertsOfBefore(this.#db, signal);
      return rows[0]?.removed === 1;
    });
  }

  /** Removes the data from the archive and from the answers to deliveries. Call it after `begin`. */
  fromArchive(client: string, player: number, signal: AbortSignal): Promise<ErasedRows> {
    return asking(signal, () => eraseFromArchive(this.#db, client, player, signal));
  }

  /** Adds to the counts of what was erased, and returns the record. Call it after `begin`. */
  end(client: string, player: number, counts: Counts, signal: AbortSignal): Promise<ErasureRecord> {
    return asking(signal, async () => {
      const { rows } = await sql<{ counts: Counts }>`
        select counts from erasures where client_id = ${client} and player_id = ${player}::bigint`.execute(
        this.#db,
        { signal },
      );
      const before = rows[0]?.counts ?? {};
      const names = new Set([...Object.keys(before), ...Object.keys(counts)]);
      const sum = Object.fromEntries(
        [...names].map((name) => [name, (before[name] ?? 0) + (counts[name] ?? 0)]),
      );
      await sql`
        update erasures set counts = ${JSON.stringify(sum)}
        where client_id = ${client} and player_id = ${player}::bigint`.execute(this.#db, { signal });
      const [record] = await this.#list(client, player - 1, 1, signal);
      if (record === undefined) throw new Error("the record of an erasure went while it was written");
      return record;
    });
  }

  /** The next records by player, up to the limit. @param after a player's number, 0 to begin */
  list(client: string, after: number, limit: number, signal: AbortSignal): Promise<readonly ErasureRecord[]> {
    return asking(signal, () => this.#list(client, after, limit, signal));
  }

  async #list(client: string, after: number, limit: number, signal: AbortSignal) {
    const { rows } = await sql<Row>`
      select client_id, player_id, erased_at, requested_by, counts from erasures
      where client_id = ${client} and player_id > ${after}::bigint
      order by player_id limit ${limit}`.execute(this.#db, { signal });
    return rows.map(
      (row): ErasureRecord => ({
        ...row,
        player_id: Number(row.player_id),
        erased_at: row.erased_at.toISOString(),
      }),
    );
  }
}

interface Row {
  readonly client_id: string;
  readonly player_id: string;
  readonly erased_at: Date;
  readonly requested_by: string;
  readonly counts: Counts;
}
