/** Numbers and times for people. Unknown values are a dash. */

const unknown = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export const count = (value) =>
  value === null || value === undefined
    ? unknown
    : value < 100_000
      ? whole.format(value)
      : compact.format(value);

/** Events per second, with one decimal below 10. @param {number | null | undefined} value */
export const rate = (value) =>
  value === null || value === undefined
    ? unknown
    : value > 0 && value < 9.95
      ? value.toFixed(1)
      : count(value);

/** @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return unknown;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 9_950 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** @param {number} value */
export function bytes(value) {
  if (value < 1_024) return `${value} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = "B";
  for (const next of units) {
    if (size < 1_024) break;
    size /= 1_024;
    unit = next;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** Euro cents. @param {number} cents */
export const euro = (cents) =>
  new Intl.NumberFormat("en", { style: "currency", currency: "EUR", maximumFractionDigits: 0 }).format(
    cents / 100,
  );

/** How long ago a moment was. @param {string} iso */
export const ago = (iso) => `${duration(Math.max(0, Date.now() - Date.parse(iso)))} ago`;

/** @param {Date} time */
export const clock = (time) => time.toLocaleTimeString("en-GB");
