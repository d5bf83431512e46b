import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
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
    new CountedElsewhere(name, help, this.#registry, this.#guarded(name, collect));
  }

  gauge(name: string, help: string, collect: Collect<Sample>): void {
    new MeasuredElsewhere(name, help, this.#registry, this.#guarded(name, collect));
  }

  histogram(name: string, help: string, collect: Collect<Distribution>): void {
    new ObservedElsewhere(name, help, this.#registry, this.#guarded(name, collect));
  }

  /** Renders the answer to a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get mediaType(): string {
    return this.#registry.contentType;
  }

  #guarded<T>(name: string, collect: Collect<T>): Ask<T> {
    return async () => {
      try {
        return await collect();
      } catch (err) {
        this.#log.debug({ err, metric: name }, "a metric is not available now");
        return [];
      }
    };
  }
}

type Ask<T> = () => Promise<readonly T[]>;

// The library's own metrics hold values; these compute them at each scrape. We use the library for the format and for
// the metrics of the process.

class CountedElsewhere extends Counter {
  readonly #ask: Ask<Sample>;

  constructor(name: string, help: string, registry: Registry, ask: Ask<Sample>) {
    super({ name, help, registers: [registry] });
    this.#ask = ask;
  }

  override async get() {
    return { ...(await super.get()), values: (await this.#ask()).map(labelled) };
  }
}

class MeasuredElsewhere extends Gauge {
  readonly #ask: Ask<Sample>;

  constructor(name: string, help: string, registry: Registry, ask: Ask<Sample>) {
    super({ name, help, registers: [registry] });
    this.#ask = ask;
  }

  override async get() {
    return { ...(await super.get()), values: (await this.#ask()).map(labelled) };
  }
}

class ObservedElsewhere extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #ask: Ask<Distribution>;

  constructor(name: string, help: string, registry: Registry, ask: Ask<Distribution>) {
    super({ name, help, registers: [registry] });
    [this.#name, this.#help, this.#ask] = [name, help, ask];
  }

  /** The method that the registry calls on a histogram, which the library's types do not show. */
  async getForPromString() {
    const values = (await this.#ask()).flatMap(({ labels = {}, buckets, count, sum }) => [
      ...[...buckets, ["+Inf", count] as const].map(([le, value]) => ({
        metricName: `${this.#name}_bucket`,
        labels: { ...labels, le },
        value,
      })),
      { metricName: `${this.#name}_sum`, labels: { ...labels }, value: sum },
      { metricName: `${this.#name}_count`, labels: { ...labels }, value: count },
    ]);
    return { name: this.#name, help: this.#help, type: "histogram", values, aggregator: "sum" };
  }
}

function labelled({ labels = {}, value }: Sample) {
  return { labels: { ...labels }, value };
}
