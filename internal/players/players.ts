import { sql } from "kysely";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { sayable } from "../postgres/instant.ts";
import { PreparedStatement } from "../postgres/prepared.ts";

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
 * Looks players up in Postgres, all keys in one query, without a cache. A query sees one state of the database, so
 * repeated keys are asked for once. `find` returns one answer per key in the same order; a last sign-in outside RFC 3339
 * counts as none.
 * @throws Unavailable when Postgres is away, the signal's reason when aborted
 */
export function postgresPlayers(db: Database): {
  find(keys: readonly Key[], signal: AbortSignal): Promise<readonly Found[]>;
} {
  const { sql: text } = sql`
    select c.id is not null as client_known, p.email,
      ${sayable(sql`p.last_signed_in_at`)} as last_signed_in_at
    from unnest(${[]}::text[], ${[]}::bigint[]) with ordinality as k (client_id, id, position)
    left join clients c on c.id = k.client_id and c.disabled_at is null
    left join players p on p.client_id = k.client_id and p.id = k.id
    order by k.position`.compile(db);
  const lookUp = new PreparedStatement<Row>(db, text);
  return {
    async find(keys, signal) {
      const { distinct, places } = withoutCopies(keys);
      try {
        const clients = distinct.map((key) => key.client);
        const ids = distinct.map((key) => key.id ?? null);
        const rows = await lookUp.run([clients, ids], signal);
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

/** The distinct keys, and for each key its position among them. */
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
