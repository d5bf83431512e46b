import type { Log } from "../log.ts";

/** Tells the log once that something went away and once that it is back, however many calls fail in between. */
export interface Outage {
  began(error: unknown): void;
  over(): void;
}

export function outage(log: Log, what: string, consequence: string): Outage {
  let away = false;
  return {
    began(error) {
      if (away) return;
      away = true;
      // The text alone: clients hang the failed command on their errors, and with it passwords.
      log.warn({ reason: reasonOf(error) }, `${what} failed: ${consequence}`);
    },
    over() {
      if (!away) return;
      away = false;
      log.info(`${what} works again`);
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  // A connection tried over IPv4 and IPv6 fails with an AggregateError that has a code and no message.
  return "code" in error ? String(error.code) : error.name;
}
