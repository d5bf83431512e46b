import pino from "pino";

export type Log = pino.Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The root log of one process: JSON lines on stderr, so that stdout stays free for the logger's events.
 * URLs may carry passwords: log them only through `withoutPassword`.
 */
export function createLog(service: string, level: LogLevel): Log {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorForLog },
    },
    // Synchronous, because a process that dies must not take its last line with it.
    pino.destination({ dest: 2, sync: true }),
  );
}

/** What an outage says of itself, without a stack, which would only show where we waited: for the field `because`. */
export function reasonOf(err: unknown): string {
  return (err instanceof Error && err.message) || String(err);
}

/** An error as it is logged. A DOMException, which is what a timeout is, brings 25 constants that would bury its message. */
export function errorForLog(err: Error): object {
  const shown = pino.stdSerializers.err(err);
  if (!(err instanceof DOMException)) return shown;
  const { type, name, message, stack } = shown;
  return { type, name, message, stack };
}

/** Scheme, user and password, host and port; then path and query. An `@` outside its place makes it no URL of this form. */
const urlForm = /^([a-z]+:\/\/)?([^\s,/?#@]+@)?((?:[\w.-]+|\[[\da-f:.]+\])?(?::\d{1,5})?)(?:[/?#][^@]*)?$/i;

/**
 * Where a URL (or each of comma-separated URLs) points to, fit for a log or a banner: without user and password, and
 * without path and query, which may hold a key. "***" where a password with characters that belong percent-encoded
 * leaves it unclear what the address is.
 */
export function withoutPassword(urls: string): string {
  const addresses = (urls.includes("?") ? [urls] : urls.split(",")).map((url, index) => {
    const [, scheme = "", user, address] = urlForm.exec(url.trim()) ?? [];
    // Without a scheme of its own it is rather the rest of a password with a comma in it.
    if (address === undefined || (index > 0 && user !== undefined && scheme === "")) return undefined;
    return `${scheme}${user === undefined ? "" : "***@"}${address}`;
  });
  return addresses.includes(undefined) ? "***" : addresses.join(",");
}
