import type { Bench } from "./environment.ts";
import type { Options } from "./options.ts";
import type { Row } from "./table.ts";

/** The context of every measurement. */
export interface Run {
  readonly bench: Bench;
  readonly options: Options;
  /** The broker's limit in this round. */
  readonly limit: number;
  /** Separate servers for measurements that need other settings. The caller closes them. */
  readonly openBench: (config: string) => Promise<Bench>;
  /** Reports progress on stderr. */
  readonly progress: (text: string) => void;
}

/** A measurement: one table of the report. */
export interface Measurement {
  /** For `--only`. */
  readonly name: string;
  /** The title of its table, also in `--list`. */
  readonly title: string;
  /** Whether it runs once, and not in each round: it takes long, or the best of several rounds makes no sense. */
  readonly once?: true;
  /** Why it cannot run with these options; otherwise undefined. */
  readonly lacks?: (options: Options) => string | undefined;
  readonly measure: (run: Run) => Promise<readonly Row[]>;
}
