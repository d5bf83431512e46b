import manifest from "../../package.json" with { type: "json" };
import { deadReasons } from "../messages/dead-letter.ts";
import { lookAt, type ReadyChecks, type Warnings } from "../service/health.ts";
import type { Log } from "../service/log.ts";
import { Metrics } from "./metrics.ts";
import type { WorkMeter } from "./work-meter.ts";

export interface ServiceMetricsOptions {
  readonly service: string;
  readonly checks: ReadyChecks;
  readonly warnings?: Warnings;
  readonly works: readonly WorkMeter[];
  readonly log: Log;
}

/** The metrics that every service has: of its process, its readiness and its works. What only some have is added to them. */
export function serviceMetrics({ service, checks, warnings, works, log }: ServiceMetricsOptions): Metrics {
  const metrics = new Metrics(log);
  metrics.gauge("croupier_build_info", "The version of the service: always 1.", () => [
    { labels: { service, version: manifest.version }, value: 1 },
  ]);
  metrics.gauge("croupier_check_ok", "Whether a check of readiness passes: 1, or 0.", async () => {
    const found = await lookAt(checks);
    return Object.entries(found.checks).map(([check, result]) => ({
      labels: { service, check },
      value: result === "ok" ? 1 : 0,
    }));
  });
  metrics.gauge("croupier_warnings", "What somebody should look at, see /readyz.", () => [
    { labels: { service }, value: warnings?.().length ?? 0 },
  ]);
  addWorks(metrics, works);
  return metrics;
}

function addWorks(metrics: Metrics, works: readonly WorkMeter[]): void {
  const of = (value: (work: WorkMeter) => number) => () =>
    works.map((work) => ({ labels: { work: work.name }, value: value(work) }));
  metrics.counter(
    "croupier_events_total",
    "Events that were done with: forwarded, written or set aside.",
    of((work) => work.events),
  );
  metrics.counter(
    "croupier_messages_total",
    "Messages in which those events came.",
    of((work) => work.messages),
  );
  metrics.counter(
    "croupier_redeliveries_total",
    "Messages that had been delivered before.",
    of((work) => work.redelivered),
  );
  metrics.counter(
    "croupier_retries_total",
    "Messages that were handed back or refused, to come again.",
    of((work) => work.retried),
  );
  // Those that have not come yet too: of a series that begins with 1 Prometheus sees no increase.
  metrics.counter("croupier_dead_letters_total", "Events that were set aside.", () =>
    works.flatMap(({ name, deadLetters }) =>
      deadReasons.map((reason) => ({ labels: { work: name, reason }, value: deadLetters.get(reason) ?? 0 })),
    ),
  );
  metrics.gauge(
    "croupier_events_in_flight",
    "Events in hand.",
    of((work) => work.inFlight),
  );
  metrics.histogram(
    "croupier_event_duration_seconds",
    "From when an event was received until it was done with.",
    () => works.map((work) => ({ ...work.durations.distribution, labels: { work: work.name } })),
  );
  metrics.histogram("croupier_message_events", "Events that a message carried.", () =>
    works.map((work) => ({ ...work.sizes.distribution, labels: { work: work.name } })),
  );
}
