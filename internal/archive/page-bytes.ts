import { type RawBuilder, sql } from "kysely";

/** About how many bytes of custom data a page may hold; the first event of a page always fits. */
const mostBytes = 8 * 2 ** 20;
/** Of one event: no stream takes more. */
const mostOfEvent = 2 ** 20;
/** What Postgres' compression saves at most. Only unpacking the data would tell how much it saved. */
const mostRatio = 256;

/** What a row of a page within its bytes has in addition. */
export interface WithinBytes {
  /** How many rows the page has without the limit of bytes. */
  readonly found: string;
}

/**
 * The first rows of a page of `events`, without those beyond the bytes that a page may hold. A client decides how large
 * its custom events are: a thousand of the largest would take a gigabyte of memory.
 * @param page selects rows in order, with a limit; its column `data` is not read
 */
export function withinBytes<T>(page: RawBuilder<T>): RawBuilder<T & WithinBytes> {
  const size = sql`case
    when data is null then 0
    when pg_column_compression(data) is null then pg_column_size(data)
    else least(${mostOfEvent}::int, ${mostRatio}::int * pg_column_size(data)) end`;
  return sql<T & WithinBytes>`
    select * from (
      select *, sum(size) over (order by place) - size as before, count(*) over () as found
      from (select *, row_number() over () as place, ${size} as size from (${page}) as page) as sized
    ) as counted
    where before < ${mostBytes}::int order by place`;
}
