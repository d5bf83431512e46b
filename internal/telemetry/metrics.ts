import { collectDefaultMetrics, Registry } from "prom-client";
import type { Log } from "../service/log.ts";

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** A Prometheus histogram. */
export interface Distribution {
  readonly labels?: Labels;
  /** Ascending bucket bounds, each with the number of values up to it. */
  readonly buckets: readonly (readonly [end: number, count: number])[];
  readonly count: number;
  readonly sum: number;
}

/** Called at each scrape. */
type Collect<T> = () => readonly T[] | Promise<readonly T[]>;

/**
 * The metrics of a service for `/metrics`. It counts nothing itself: at each scrape it asks the counting code, so the
 * hot path knows no names and labels. A metric that fails is left out of that scrape.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #log: Log;

  /** @param log receives failures, at level debug */
  constructor(log: Log) {
    this.#log = log;
    collectDefaultMetrics({ register: this.#registry });
    // prom-client exports these gauges under the name of a counter.
    for (const what of ["handles", "requests", "resources"])
      this.#registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }

  /** @param name ends with `_total` */
  counter(name: string, help: string, collect: Collect<Sample>): void {
    this.#add(name, help, "counter", collect, (sample) => [sample]);
  }

  gauge(name: string, help: string, collect: Collect<Sample>): void {
    this.#add(name, help, "gauge", collect, (sample) => [sample]);
  }

  histogram(name: string, help: string, collect: Collect<Distribution>): void {
    this.#add(name, help, "histogram", collect, ({ labels = {}, buckets, count, sum }) => [
      ...[...buckets, ["+Inf", count] as const].map(([le, value]) => {
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value };
      }),
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]);
  }

  /** Renders the answer to a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get mediaType(): string {
    return this.#registry.contentType;
  }

  /**
   * The library's own metrics hold values; this one asks for them at each scrape. We use the library for the format and
   * for the metrics of the process.
   */
  #add<T>(
    name: string,
    help: string,
    type: "counter" | "gauge" | "histogram",
    collect: Collect<T>,
    valuesOf: (one: T) => readonly object[],
  ): void {
    const values = async () => {
      try {
        return (await collect()).flatMap(valuesOf);
      } catch (err) {
        this.#log.debug({ err, metric: name }, "a metric is not available now");
        return [];
      }
    };
    const metric = { name, get: async () => ({ name, help, type, values: await values() }) };
    this.#registry.registerMetric(metric as never); // all of a metric that the registry calls
  }
}
