import type { Log } from "../service/log.ts";

/** Logs that something went away, and once that it is back, however many calls fail in between. */
interface Outage {
  began(error: unknown): void;
  over(): void;
}

/** @param mostReasons how many different reasons are logged meanwhile, each once */
export function outage(log: Log, what: string, consequence: string, mostReasons = 1): Outage {
  const said = new Set<string>();
  return {
    began(error) {
      const reason = reasonOf(error);
      if (said.has(reason) || said.size === mostReasons) return;
      said.add(reason);
      // Only the text: clients attach the failed command to their errors, and with it passwords.
      log.warn({ reason }, `${what} failed: ${consequence}`);
    },
    over() {
      if (said.size === 0) return;
      said.clear();
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
