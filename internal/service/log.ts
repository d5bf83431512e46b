import pino from "pino";
import { isObject } from "./json.ts";
import { logEntry, wholeLogText } from "./log-text.ts";
import { isUnavailable } from "./unavailable.ts";

export type Log = pino.Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The root log of one process, on stderr, so that stdout stays free for the logger's events: JSON lines, or readable text
 * on a terminal. URLs may contain passwords: log them only through `withoutPassword`.
 */
export function createLog(service: string, level: LogLevel): Log {
  // Synchronous, because a dying process must not lose its last line.
  const stderr = pino.destination({ dest: 2, sync: true, maxLength: mostUnwritten });
  // Such as of a full disk: lines that cannot be written must not end what they tell of.
  stderr.on("error", () => undefined);
  return pino(
    logOptions(service, level),
    process.stderr.isTTY ? { write: (line: string) => stderr.write(readable(line)) } : stderr,
  );
}

/** Bytes of lines that wait for room where stderr goes; beyond that, lines are dropped. */
const mostUnwritten = 2 ** 20;

const errorLevel = 50; // pino's number

/** How its lines look, wherever they go. */
export function logOptions(service: string, level: LogLevel): pino.LoggerOptions {
  return {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorForLog },
    hooks: {
      logMethod(said, method, level) {
        const [fields] = said;
        if (level < errorLevel && isObject(fields) && fields.err instanceof Error)
          said[0] = { ...fields, err: expectedForLog(fields.err) };
        method.apply(this, said);
      },
    },
  };
}

function readable(line: string): string {
  const entry = logEntry(line);
  return entry === undefined ? line : wholeLogText(entry);
}

/** What anything thrown says, in one sentence: for messages, and for the log's field `because`, where a stack tells nothing. */
export function reasonOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  if (err.message !== "") return err.message;
  // A connection tried over IPv4 and IPv6 fails with an AggregateError that has a code and no message.
  return "code" in err ? String(err.code) : err.name;
}

/** A warning is about something expected, and its stack would only show where we waited. Bugs are logged as errors. */
export function expectedForLog(err: Error): object {
  return { type: err.name, message: err.message };
}

/**
 * An error for the log. An outage has no stack, which would only show where we waited. A DOMException, such as a timeout,
 * has 25 constants that would bury its message.
 */
export function errorForLog(err: object): object {
  if (!(err instanceof Error)) return err;
  if (err instanceof DOMException) {
    const { type, name, message, stack } = pino.stdSerializers.err(err);
    return { type, name, message, stack };
  }
  return isUnavailable(err) ? expectedForLog(err) : pino.stdSerializers.err(err);
}

/** Scheme, user and password, host and port; then path and query. A text with an `@` elsewhere is no such URL. */
const urlForm = /^([a-z]+:\/\/)?([^\s,/?#@]+@)?((?:[\w.-]+|\[[\da-f:.]+\])?(?::\d{1,5})?)(?:[/?#][^@]*)?$/i;

/**
 * Where a URL (or each of several, comma-separated) points to, fit for a log or a banner: without user, password, path
 * and query, which may contain a key. "***" where a password with unescaped characters makes the address ambiguous.
 */
export function withoutPassword(urls: string): string {
  const addresses = (urls.includes("?") ? [urls] : urls.split(",")).map((url, index) => {
    const [, scheme = "", user, address] = urlForm.exec(url.trim()) ?? [];
    // Without a scheme it is probably the rest of a password that contains a comma.
    if (address === undefined || (index > 0 && user !== undefined && scheme === "")) return undefined;
    return `${scheme}${user === undefined ? "" : "***@"}${address}`;
  });
  return addresses.includes(undefined) ? "***" : addresses.join(",");
}
