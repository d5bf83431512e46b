import { DurationHistogram } from "./duration-histogram.ts";
import type { Metrics } from "./metrics.ts";
import { SizeHistogram } from "./size-histogram.ts";
import { WorkMeter } from "./work-meter.ts";

/** Counts the work of an archiver, its inserts too. */
export class ArchiveMeter extends WorkMeter {
  readonly #rows = new SizeHistogram();
  readonly #durations = new DurationHistogram();
  #added = 0;
  #known = 0;

  /** A statement was committed: so many rows, of which so many were not there yet, in so many ms. */
  inserted(rows: number, added: number, ms: number): void {
    this.#rows.add(rows);
    this.#durations.addMs(ms);
    this.#added += added;
    this.#known += rows - added;
  }

  addTo(metrics: Metrics): void {
    metrics.histogram("croupier_archive_batch_rows", "Rows of one insert.", () => [this.#rows.distribution]);
    metrics.histogram("croupier_archive_insert_duration_seconds", "What one insert took.", () => [
      this.#durations.distribution,
    ]);
    metrics.counter("croupier_archive_rows_total", "Rows by whether they were there already.", () => [
      { labels: { outcome: "added" }, value: this.#added },
      { labels: { outcome: "known" }, value: this.#known },
    ]);
  }
}
