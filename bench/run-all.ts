import { openBench } from "./environment.ts";
import type { Scope } from "./interruptible.ts";
import type { Measurement, Run } from "./measurement.ts";
import type { Options } from "./options.ts";
import { rawLimit } from "./publishing.ts";
import { bestOf, type Row } from "./table.ts";

export interface Results {
  /** The broker's limit in acknowledged publishes per second: the best of the rounds. */
  readonly limit: number;
  readonly natsVersion: string;
  readonly tables: readonly {
    readonly name: string;
    readonly title: string;
    readonly rows: readonly Row[];
  }[];
}

/**
 * Runs every measurement once per round, in turns, so that noise of the machine affects all of them. Each round also measures
 * the limit.
 */
export async function runAll(
  wanted: readonly Measurement[],
  options: Options,
  { signal, track, progress }: Scope & { readonly progress: (text: string) => void },
): Promise<Results> {
  const started = performance.now();
  const said = (text: string) => progress(`${Math.round((performance.now() - started) / 1000)} s: ${text}`);
  said("starting servers");
  // Closes also what a measurement has opened, because an interrupted one may not.
  await using opened = new AsyncDisposableStack();
  const bench = opened.use(await openBench({ signal, track }));
  const open: Run["openBench"] = (config) => {
    const opening = openBench({ signal, track, config });
    opened.defer(async () => (await opening.catch(() => undefined))?.[Symbol.asyncDispose]());
    return opening;
  };
  const limits: number[] = [];
  const rounds = new Map<Measurement, (readonly Row[])[]>(wanted.map((measurement) => [measurement, []]));
  for (let round = 1; round <= options.rounds; round++) {
    said(`round ${round} of ${options.rounds}: the broker's limit`);
    const limit = await unlessAborted(rawLimit(bench, options), signal);
    limits.push(limit);
    const run: Run = { bench, options, limit, progress: said, openBench: open };
    for (const [measurement, rows] of rounds) {
      if (measurement.once && round > 1) continue;
      said(`round ${round} of ${options.rounds}: ${measurement.name}`);
      rows.push(await unlessAborted(measurement.measure(run), signal));
    }
  }
  return {
    limit: Math.max(...limits),
    natsVersion: bench.nc.info?.version ?? "?",
    tables: [...rounds]
      .map(([{ name, title }, rows]) => ({ name, title, rows: bestOf(rows) }))
      .filter(({ rows }) => rows.length > 0),
  };
}

/** Work that waits for a stopping broker may wait forever. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  // After the abort its failure no longer matters.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
