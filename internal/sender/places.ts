import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";

/** How long a sender's claim on a destination lasts without renewal, in ms. */
export const keptForMs = 6_000;

/** How long a stop waits until its claims are released. */
const leaveWithinMs = 1_000;

/** A destination's position. */
interface DestinationPlace {
  readonly destination: string;
  /**
   * Up to this sequence of CASINO_EVENTS its events are delivered, in CASINO_RETRY or dead letters. 0 = not known yet.
   */
  readonly sequence: number;
}

/**
 * The senders' records in Postgres: which sender owns which destination, and each destination's position. Every method
 * rejects with `Unavailable` while Postgres is away.
 */
export class Places {
  readonly #db: Database;
  readonly #keeper: string;

  /** @param keeper the unique name of this process */
  constructor(db: Database, keeper: string) {
    this.#db = db;
    this.#keeper = keeper;
  }

  /** Claims, for `keptForMs`, those of the destinations that no other sender owns. @returns those that we own */
  async keep(destinations: readonly string[], signal?: AbortSignal): Promise<readonly DestinationPlace[]> {
    if (destinations.length === 0) return [];
    return asking(signal, async () => {
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

  /** Records the position of a destination that we own. */
  async note(destination: string, sequence: number, signal?: AbortSignal): Promise<void> {
    await asking(signal, () =>
      sql`update destination_places set log_sequence = ${sequence}::bigint
        where destination_id = ${destination} and keeper = ${this.#keeper}`.execute(
        this.#db,
        signal && { signal },
      ),
    );
  }

  /** Releases all our claims at once. */
  async leave(): Promise<void> {
    const signal = AbortSignal.timeout(leaveWithinMs);
    await asking(signal, () =>
      sql`update destination_places set kept_until = null where keeper = ${this.#keeper}`.execute(this.#db, {
        signal,
      }),
    );
  }
}
