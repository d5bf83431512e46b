const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d)(?::(\d\d))?)$/;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const AFTER_LEAP_SECOND = /-0[17]-01T00:00:00/;
const MINUTE = 60_000;
const DAY_MINUTES = 24 * 60;
// The Gregorian calendar repeats after 400 years. Date.UTC takes the years 0..99 for 1900..1999, so it is asked about
// the same day 400 years later.
const CYCLE_YEARS = 400;
const CYCLE = 146_097 * DAY_MINUTES * MINUTE;
const FIRST = Date.UTC(CYCLE_YEARS, 0, 1) - CYCLE;
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * The one form in which the pipeline writes an instant: `YYYY-MM-DDTHH:mm:ss.sssZ`, UTC, milliseconds truncated.
 *
 * Takes an RFC 3339 `date-time` (section 5.6, either case of `T` and `Z`), and the offset without minutes that
 * Postgres writes (`+00`). A leap second is taken only where UTC has ever had one, at 23:59:60 of June 30 and December
 * 31 (appendix D), of any year, and written as the second that follows it, since neither Postgres nor `Date` can hold it.
 *
 * @returns undefined when the text is no date-time, when the date, the time or the offset does not exist, and when
 * the UTC year lies outside 0000..9999.
 */
export function parseTimestamp(text: string): string | undefined {
  if (isCanonicalForm(text) && isExisting(text)) return text;

  const match = DATE_TIME.exec(text);
  if (match === null || !isExistingDate(text)) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", utc, sign, offsetHour, offsetMinute] =
    match;
  const milliseconds = fraction.slice(0, 3).padEnd(3, "0");
  const h = Number(hour);
  const m = Number(minute);
  const s = Number(second);
  if (h > 23 || m > 59 || s > 60) return undefined;
  if (utc !== undefined && s < 60) return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;

  const offset = utc === undefined ? offsetMinutes(sign, Number(offsetHour), Number(offsetMinute ?? 0)) : 0;
  if (offset === undefined) return undefined;
  const local =
    Date.UTC(Number(year) + CYCLE_YEARS, Number(month) - 1, Number(day), h, m, s, Number(milliseconds)) -
    CYCLE;
  const instant = local - offset * MINUTE;
  if (instant < FIRST || instant > LAST) return undefined;
  const written = new Date(instant).toISOString();
  return s === 60 && !AFTER_LEAP_SECOND.test(written) ? undefined : written;
}

function offsetMinutes(sign: string | undefined, hours: number, minutes: number): number | undefined {
  if (hours > 23 || minutes > 59) return undefined;
  return (sign === "-" ? -1 : 1) * (hours * 60 + minutes);
}

// Every event passes here once per step, and all but the first time in this form: character codes instead of a
// regular expression keep it well under a microsecond.
function isCanonicalForm(text: string): boolean {
  if (text.length !== 24) return false;
  for (let i = 0; i < 24; i++) {
    const code = text.charCodeAt(i);
    const expected = CANONICAL.charCodeAt(i);
    if (expected === DIGIT ? code < DIGIT || code > DIGIT + 9 : code !== expected) return false;
  }
  return true;
}
const DIGIT = 48;
const CANONICAL = "0000-00-00T00:00:00.000Z";

function isExisting(canonical: string): boolean {
  return (
    isExistingDate(canonical) && two(canonical, 11) < 24 && two(canonical, 14) < 60 && two(canonical, 17) < 60
  );
}

function isExistingDate(text: string): boolean {
  const year = two(text, 0) * 100 + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  const days = month === 2 && isLeapYear(year) ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function two(text: string, at: number): number {
  return (text.charCodeAt(at) - DIGIT) * 10 + text.charCodeAt(at + 1) - DIGIT;
}
