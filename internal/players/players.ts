import { sql } from "kysely";
import { asUnavailable, type Database } from "../postgres/connect.ts";

interface Key {
  readonly client: string;
  readonly id: number | undefined;
}

interface Found {
  readonly clientKnown: boolean;
  readonly player: { readonly email: string; readonly last_signed_in_at: string | null } | undefined;
}

interface Row {
  readonly client_known: boolean;
  readonly email: string | null;
  readonly last_signed_in_at: Date | null;
}

/**
 * Looks players up in Postgres, all keys in one query, nothing kept from one call to the next.
 * `find` answers one row per key in the same order.
 * @throws Unavailable when Postgres is away, the signal's reason when aborted
 */
export function postgresPlayers(db: Database): {
  find(keys: readonly Key[], signal: AbortSignal): Promise<readonly Found[]>;
} {
  return {
    async find(keys, signal) {
      const query = sql<Row>`
        select c.id is not null as client_known, p.email, p.last_signed_in_at
        from unnest(${keys.map((key) => key.client)}::text[], ${keys.map((key) => key.id ?? null)}::bigint[])
          with ordinality as k (client_id, id, position)
        left join clients c on c.id = k.client_id
        left join players p on p.client_id = k.client_id and p.id = k.id
        order by k.position`;
      try {
        const { rows } = await query.execute(db, { signal });
        return rows.map((row) => ({
          clientKnown: row.client_known,
          player:
            row.email === null
              ? undefined
              : { email: row.email, last_signed_in_at: row.last_signed_in_at?.toISOString() ?? null },
        }));
      } catch (err) {
        signal.throwIfAborted();
        throw asUnavailable(err);
      }
    },
  };
}
