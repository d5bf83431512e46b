import type { Metrics } from "./metrics.ts";

interface EnricherSources {
  readonly rates: { fetchedAt(): number | undefined };
  /** The reason while the last step pauses for the archiver. */
  readonly archiverLag: { readonly problem: string | undefined };
  readonly duplicateWindowMs: number;
}

export function addEnricher(
  metrics: Metrics,
  { rates, archiverLag, duplicateWindowMs }: EnricherSources,
): void {
  metrics.gauge(
    "croupier_rates_age_seconds",
    "Age of the rates in use; absent before the first. New rates are requested only when an event needs one.",
    () => {
      const at = rates.fetchedAt();
      return at === undefined ? [] : [{ value: Math.max(0, Date.now() - at) / 1_000 }];
    },
  );
  metrics.gauge(
    "croupier_paused",
    "Whether the last step pauses because the archiver is too far behind.",
    () => [{ value: archiverLag.problem === undefined ? 0 : 1 }],
  );
  metrics.gauge(
    "croupier_duplicate_window_seconds",
    "DUPLICATE_WINDOW: how long the broker remembers the ids of final events.",
    () => [{ value: duplicateWindowMs / 1_000 }],
  );
}
