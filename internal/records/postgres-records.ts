import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { sayable } from "../postgres/instant.ts";
import type { ClientRecord, RecordKind, RecordStore } from "./record.ts";

/** A record as `pg` returns it: bigint as text. */
type Row = Readonly<Record<string, string | Date | null>>;

/** Stores the records of a kind in the table of the same name. */
export function postgresRecords<T extends ClientRecord>(
  db: Database,
  { many, columns }: RecordKind<T>,
): RecordStore<T> {
  const table = sql.table(many);
  const fields = Object.entries<"text" | "timestamptz">(columns);
  const names = sql.join(fields.map(([name]) => sql.ref(name)));
  const selected = sql.join([
    sql`id`,
    ...fields.map(([name, type]) =>
      type === "text" ? sql.ref(name) : sql`${sayable(sql.ref(name))} as ${sql.ref(name)}`,
    ),
  ]);
  const replaced = sql.join(fields.map(([name]) => sql`${sql.ref(name)} = ${sql.ref(`excluded.${name}`)}`));

  return {
    put: (client, records, signal) =>
      asking(signal, async () => {
        // Each id once, as the statement requires; sorted, so that overlapping statements wait for each other and do not
        // deadlock.
        const distinct = [...new Map(records.map((record) => [record.id, record])).values()];
        distinct.sort((a, b) => a.id - b.id);
        const values = fields.map(
          ([name, type]) => sql`${distinct.map((record) => record[name as keyof T])}::${sql.raw(type)}[]`, // the columns are keys of T
        );
        const { rows } = await sql<{ added: number }>`
          with stored as (
            insert into ${table} (client_id, id, ${names})
            select ${client}, given.* from unnest(${distinct.map(({ id }) => id)}::bigint[], ${sql.join(values)}) as given
            on conflict (client_id, id) do update set ${replaced}
            returning xmax = 0 as is_new
          )
          select count(*) filter (where is_new)::int as added from stored`.execute(db, { signal });
        return rows[0]?.added ?? 0;
      }),

    find: (client, id, signal) =>
      asking(signal, async () => {
        const { rows } = await sql<Row>`
          select ${selected} from ${table} where client_id = ${client} and id = ${id}::bigint`.execute(db, {
          signal,
        });
        return rows.map(recordOf<T>)[0];
      }),

    list: (client, after, limit, signal) =>
      asking(signal, async () => {
        const { rows } = await sql<Row>`
          select ${selected} from ${table} where client_id = ${client} and id > ${after}::bigint
          order by id limit ${limit}`.execute(db, { signal });
        return rows.map(recordOf<T>);
      }),

    remove: (client, id, signal) =>
      asking(signal, async () => {
        const { numAffectedRows } = await sql`
          delete from ${table} where client_id = ${client} and id = ${id}::bigint`.execute(db, { signal });
        return numAffectedRows === 1n;
      }),
  };
}

function recordOf<T>({ id, ...fields }: Row): T {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Date ? value.toISOString() : value,
  ]);
  return { id: Number(id), ...Object.fromEntries(entries) }; // the kind's columns are the keys of T
}
