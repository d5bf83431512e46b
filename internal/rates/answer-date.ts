// Where rates APIs state the date of their rates: exchangerate.host and similar, frankfurter, open.er-api.com,
// currencyapi.
const names = [
  "date",
  "timestamp",
  "time_last_update_unix",
  "time_last_update_utc",
  "last_updated_at",
  "last_updated",
  "updated_at",
];

/**
 * The date of an answer's rates as the answer states it: the oldest date in it, in epoch ms. Several differ where one is
 * the answer's own. Dates are texts that `Date` parses, or seconds or milliseconds since the epoch.
 *
 * @param answer as returned by `readJson`, with numbers as texts
 * @returns undefined when it has no readable date
 */
export function oldestDate(answer: object): number | undefined {
  const meta = "meta" in answer && typeof answer.meta === "object" ? answer.meta : undefined;
  const dates = [answer, meta ?? {}]
    .flatMap((part) => Object.entries(part))
    .filter(([name]) => names.includes(name))
    .map(([, value]) => (typeof value === "string" ? readDate(value) : Number.NaN))
    .filter((time) => !Number.isNaN(time));
  return dates.length === 0 ? undefined : Math.min(...dates);
}

/** From here on a number means milliseconds: as seconds it would lie in the year 5138. */
const leastMilliseconds = 1e11;

function readDate(text: string): number {
  // Date would read "1" as the year 2001.
  if (!/^\d+(?:\.\d+)?$/.test(text)) return Date.parse(text);
  const count = Number(text);
  return new Date(count < leastMilliseconds ? count * 1000 : count).getTime();
}
