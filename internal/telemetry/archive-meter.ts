import { DurationHistogram } from "./duration-histogram.ts";
import type { Metrics } from "./metrics.ts";
import { SizeHistogram } from "./size-histogram.ts";
import { WorkMeter } from "./work-meter.ts";

/** Counts the work of an archiver, including its inserts. */
export class ArchiveMeter extends WorkMeter {
  readonly #rows = new SizeHistogram();
  readonly #durations = new DurationHistogram();
  #added = 0;
  #known = 0;

  /** A statement was committed: its rows, how many of them were new, and its duration in ms. */
  inserted(rows: number, added: number, ms: number): void {
    this.#rows.add(rows);
    this.#durations.addMs(ms);
    this.#added += added;
    this.#known += rows - added;
  }

  addTo(metrics: Metrics): void {
    metrics.histogram("croupier_archive_batch_rows", "Rows per insert.", () => [this.#rows.distribution]);
    metrics.histogram("croupier_archive_insert_duration_seconds", "Duration of an insert.", () => [
      this.#durations.distribution,
    ]);
    metrics.counter("croupier_archive_rows_total", "Rows, by whether they already existed.", () => [
      { labels: { outcome: "added" }, value: this.#added },
      { labels: { outcome: "known" }, value: this.#known },
    ]);
  }
}
