import { sql } from "kysely";
import { asUnavailable, type Database } from "../postgres/connect.ts";

/** How long a sender looks after a destination without saying so again, in ms. */
export const keptForMs = 6_000;

/** How far a destination is. */
export interface DestinationPlace {
  readonly destination: string;
  /** Up to here its events have left CASINO_EVENTS for it: delivered, waiting in CASINO_RETRY, or set aside. 0: not known yet. */
  readonly sequence: number;
}

/**
 * The senders' notes in Postgres: which of them looks after which destination, and how far each destination is. Every method
 * rejects with `Unavailable` while Postgres is away.
 */
export class Places {
  readonly #db: Database;
  readonly #keeper: string;

  /** @param keeper the name of this process, no other's */
  constructor(db: Database, keeper: string) {
    this.#db = db;
    this.#keeper = keeper;
  }

  /** Looks after those of the destinations that nobody else looks after, for `keptForMs` from now. @returns those that are ours */
  async keep(destinations: readonly string[], signal?: AbortSignal): Promise<readonly DestinationPlace[]> {
    if (destinations.length === 0) return [];
    return this.#ask(async () => {
      const { rows } = await sql<{ destination_id: string; log_sequence: string }>`
        insert into destination_places (destination_id, keeper, kept_until)
        select id, ${this.#keeper}, now() + ${keptForMs}::float8 * interval '1 ms'
        from destinations where id = any(${[...destinations].sort()}::text[]) order by id
        on conflict (destination_id) do update set keeper = excluded.keeper, kept_until = excluded.kept_until
          where destination_places.keeper is not distinct from excluded.keeper
            or destination_places.kept_until is null or destination_places.kept_until < now()
        returning destination_id, log_sequence`.execute(this.#db, signal && { signal });
      return rows.map((row) => ({ destination: row.destination_id, sequence: Number(row.log_sequence) }));
    });
  }

  /** Notes how far a destination of ours is. */
  async note(destination: string, sequence: number, signal?: AbortSignal): Promise<void> {
    await this.#ask(() =>
      sql`update destination_places set log_sequence = ${sequence}::bigint
        where destination_id = ${destination} and keeper = ${this.#keeper}`.execute(
        this.#db,
        signal && { signal },
      ),
    );
  }

  /** Leaves all of them to others, at once. */
  async leave(): Promise<void> {
    await this.#ask(() =>
      sql`update destination_places set kept_until = null where keeper = ${this.#keeper}`.execute(this.#db),
    );
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (err) {
      throw asUnavailable(err);
    }
  }
}
