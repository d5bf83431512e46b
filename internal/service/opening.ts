import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import type { VariableName } from "./variables.ts";

/** What services and commands hand to whatever opens a connection for them, which also registers its closing. */
export interface Opening<N extends VariableName = never> {
  /** The service or the command. */
  readonly name: string;
  readonly config: Config<N>;
  readonly log: Log;
  /** Aborted when the process is asked to stop; pass it to every I/O call. */
  readonly signal: AbortSignal;
  /** Registers the closing of something just opened. Closers run in reverse order, each awaited. */
  readonly onClose: (what: string, close: () => Promise<unknown> | unknown) => void;
}
