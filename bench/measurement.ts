import type { Bench } from "./environment.ts";
import type { Options } from "./options.ts";
import type { Row } from "./table.ts";

/** What every measurement is given. */
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

/** One thing that is measured: a table of the report. */
export interface Measurement {
  /** For `--only`. */
  readonly name: string;
  /** Over its table, and in `--list`. */
  readonly title: string;
  /** Once a run, not once a round: it takes long, or its figure is no best of many. */
  readonly once?: true;
  /** Why it cannot run with these options; otherwise undefined. */
  readonly lacks?: (options: Options) => string | undefined;
  readonly measure: (run: Run) => Promise<readonly Row[]>;
}
