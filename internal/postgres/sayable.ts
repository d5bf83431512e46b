import { type RawBuilder, sql } from "kysely";

const firstInstant = "0001-01-01T00:00:00Z";
const lastInstant = "9999-12-31T23:59:59.999999Z";

/** A timestamptz, or null where no RFC 3339 time can say it: Postgres also keeps other years, and 'infinity'. */
export function sayable(instant: RawBuilder<unknown>): RawBuilder<Date | null> {
  return sql`case when ${instant} between ${sql.lit(firstInstant)}::timestamptz and ${sql.lit(lastInstant)}::timestamptz
    then ${instant} end`;
}
