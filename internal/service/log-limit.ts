import type { Log } from "./log.ts";

/** Lines that one kind may have within a second: more tell nothing new. */
const mostLines = 20;
/** Kinds told apart within a second: producers choose some of the names in them, and more names are no way around it. */
const mostKinds = 100;

interface Count {
  lines: number;
  readonly logMore: (count: number) => void;
}

/**
 * Bounds the lines that events and requests cause, so that one client's flood takes neither the log, which keeps so
 * many bytes, nor the time that events need. It logs some lines of each kind a second, and then how many more there
 * were. A process that ends does not log the last such number.
 */
export class LogLimit {
  readonly #counts = new Map<string, Count>();
  readonly #log: Log;
  #second: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Logs a line, or counts it. @param kind fields that the lines of a kind have in common, such as client and reason */
  line(
    level: "info" | "warn",
    kind: Readonly<Record<string, string | undefined>>,
    details: object,
    message: string,
  ): void {
    this.#second ??= setTimeout(() => this.#end(), 1_000).unref();
    const name = Object.values(kind).join(" ");
    const key = this.#counts.has(name) || this.#counts.size < mostKinds ? name : "";
    let count = this.#counts.get(key);
    if (count === undefined) {
      const common = key === name ? kind : {};
      count = {
        lines: 0,
        logMore: (more) => this.#log[level]({ ...common, count: more }, `and ${more} more lines like these`),
      };
      this.#counts.set(key, count);
    }
    if (++count.lines <= mostLines) this.#log[level]({ ...kind, ...details }, message);
  }

  #end(): void {
    for (const { lines, logMore } of this.#counts.values()) if (lines > mostLines) logMore(lines - mostLines);
    this.#counts.clear();
    this.#second = undefined;
  }
}
