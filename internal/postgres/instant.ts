import { type RawBuilder, sql } from "kysely";

/**
 * Instants go to Postgres and back as whole milliseconds since 1970: exact over the years 0000 to 9999, where seconds in
 * a double are not, and a text would have to call the year 0000 "1 BC".
 */

/** A timestamptz of an expression of type bigint. */
export function instant(ms: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(to_timestamp(${ms} / 1000) + (${ms} % 1000) * interval '1 millisecond')`;
}

/** The milliseconds of a timestamptz column, as bigint. */
export function millisecondsOf(column: string): RawBuilder<unknown> {
  return sql`floor(extract(epoch from ${sql.ref(column)}) * 1000)::bigint`;
}

const first = "0001-01-01T00:00:00Z";
const last = "9999-12-31T23:59:59.999999Z";

/** A timestamptz, or null where no RFC 3339 time can say it: Postgres also keeps other years, and 'infinity'. */
export function sayable(instant: RawBuilder<unknown>): RawBuilder<Date | null> {
  return sql`case when ${instant} between ${sql.lit(first)}::timestamptz and ${sql.lit(last)}::timestamptz
    then ${instant} end`;
}
