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

/** What RFC 3339 can say. Postgres keeps more: other years, and 'infinity'. */
const firstInstant = "0001-01-01T00:00:00Z";
const lastInstant = "9999-12-31T23:59:59.999999Z";

/**
 * Looks players up in Postgres, all keys in one query, nothing kept from one call to the next. One query sees one state of
 * the database, so a key that comes several times is asked for once.
 * `find` gives one answer per key in the same order; a last sign-in that no RFC 3339 time can say counts as none.
 * @throws Unavailable when Postgres is away, the signal's reason when aborted
 */
export function postgresPlayers(db: Database): {
  find(keys: readonly Key[], signal: AbortSignal): Promise<readonly Found[]>;
} {
  return {
    async find(keys, signal) {
      const { distinct, places } = withoutCopies(keys);
      const query = sql<Row>`
        select c.id is not null as client_known, p.email,
          case when p.last_signed_in_at between ${firstInstant}::timestamptz and ${lastInstant}::timestamptz
            then p.last_signed_in_at end as last_signed_in_at
        from unnest(${distinct.map((key) => key.client)}::text[], ${distinct.map((key) => key.id ?? null)}::bigint[])
          with ordinality as k (client_id, id, position)
        left join clients c on c.id = k.client_id
        left join players p on p.client_id = k.client_id and p.id = k.id
        order by k.position`;
      try {
        const { rows } = await query.execute(db, { signal });
        if (rows.length !== distinct.length)
          throw new Error(`${rows.length} rows came for ${distinct.length} keys`);
        const answers = rows.map(answerOf);
        return places.flatMap((place) => answers[place] ?? []);
      } catch (err) {
        signal.throwIfAborted();
        throw asUnavailable(err);
      }
    },
  };
}

/** The different ones among the keys, and for each key its place among those. */
function withoutCopies(keys: readonly Key[]): { distinct: readonly Key[]; places: readonly number[] } {
  const distinct: Key[] = [];
  const placeOf = new Map<string, number>();
  const places = keys.map((key) => {
    const pair = `${key.client} ${key.id}`;
    const place = placeOf.get(pair) ?? distinct.push(key) - 1;
    placeOf.set(pair, place);
    return place;
  });
  return { distinct, places };
}

function answerOf({ client_known, email, last_signed_in_at }: Row): Found {
  const player =
    email === null ? undefined : { email, last_signed_in_at: last_signed_in_at?.toISOString() ?? null };
  return { clientKnown: client_known, player };
}
