import type { Metrics } from "../telemetry/metrics.ts";
import type { Fold } from "./fold.ts";
import type { Replay } from "./replay.ts";

/** Clients with a series of their own; the others share one. */
const mostClients = 100;

/**
 * Metrics of final events. Each materializer folds all of them: take the maximum of several, not the sum.
 * @param figures with `keys` this port shows nobody a client's figures, so these metrics do not either
 */
export function addFold(metrics: Metrics, fold: Fold, replay: Replay, figures: "public" | "keys"): void {
  metrics.gauge("croupier_fold_pending_events", "Final events that wait to be folded.", () => [
    { value: replay.pending },
  ]);
  metrics.counter("croupier_fold_undecodable_total", "Final events that could not be read.", () => [
    { value: replay.undecodable },
  ]);
  if (figures === "keys") return;
  metrics.counter(
    "croupier_client_events_total",
    "Final events by client; those of the smallest of more than a hundred clients together, as _other.",
    () => {
      const totals = [...fold.totals()].sort(([, one], [, other]) => other - one);
      const rest = totals.slice(mostClients).reduce((sum, [, total]) => sum + total, 0);
      const shown = totals.slice(0, mostClients).map(([client, value]) => ({ labels: { client }, value }));
      // An underscore is in no client's name.
      return rest === 0 ? shown : [...shown, { labels: { client: "_other" }, value: rest }];
    },
  );
}
