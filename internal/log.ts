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
    },
    // Synchronous, because a process that dies must not take its last line with it.
    pino.destination({ dest: 2, sync: true }),
  );
}

/** The URL (or comma-separated URLs) with user and password replaced, fit for a log or a banner. */
export function withoutPassword(url: string): string {
  return url.replace(
    /([a-z]+:\/\/)?[^\s,/@]+(:[^\s,/]*)?@/gi,
    (_match, scheme: string | undefined) => `${scheme ?? ""}***@`,
  );
}
