// Where rates APIs say of when their rates are: exchangerate.host and its kin, frankfurter, open.er-api.com, currencyapi.
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
 * Of when the rates of an answer are by its own words: the oldest of the dates it carries, in epoch ms. Several differ
 * where one is that of the answer. Dates are texts as `Date` reads them, or seconds or milliseconds since the epoch.
 *
 * @param answer what `readJson` has read: numbers are texts in it
 * @returns undefined when it carries no date that can be read
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

/** From here on a number counts milliseconds: as seconds it would lie in the year 5138. */
const leastMilliseconds = 1e11;

function readDate(text: string): number {
  // By itself, Date would take "1" for the year 2001.
  if (!/^\d+(?:\.\d+)?$/.test(text)) return Date.parse(text);
  const count = Number(text);
  return new Date(count < leastMilliseconds ? count * 1000 : count).getTime();
}
