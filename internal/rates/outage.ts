import { type Log, reasonOf } from "../service/log.ts";

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
