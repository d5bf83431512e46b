import manifest from "../../package.json" with { type: "json" };
import { deadReasons } from "../messages/dead-letter.ts";
import { lookAt } from "../service/health.ts";
import type { AnnounceOptions } from "./announce.ts";
import { Metrics } from "./metrics.ts";
import type { WorkMeter } from "./work-meter.ts";

type ServiceMetricsOptions = Pick<AnnounceOptions, "service" | "checks" | "warnings" | "works" | "log">;

/** The metrics that every service has: of its process, its readiness and its works. Services add their own. */
export function serviceMetrics({ service, checks, warnings, works, log }: ServiceMetricsOptions): Metrics {
  const metrics = new Metrics(log);
  metrics.gauge("croupier_build_info", "The version of the service: always 1.", () => [
    { labels: { service, version: manifest.version }, value: 1 },
  ]);
  metrics.gauge("croupier_check_ok", "Whether a readiness check passes: 1 or 0.", async () => {
    const found = await lookAt(checks);
    return Object.entries(found.checks).map(([check, result]) => ({
      labels: { service, check },
      value: result === "ok" ? 1 : 0,
    }));
  });
  metrics.gauge("croupier_warnings", "Number of warnings, see /readyz.", () => [
    { labels: { service }, value: warnings?.().length ?? 0 },
  ]);
  addWorks(metrics, works);
  return metrics;
}

function addWorks(metrics: Metrics, works: readonly WorkMeter[]): void {
  const of = (figure: "events" | "messages" | "redelivered" | "retried" | "inFlight") => () =>
    works.map((work) => ({ labels: { work: work.name }, value: work[figure] }));
  metrics.counter(
    "croupier_events_total",
    "Events handled: forwarded, written or dead-lettered.",
    of("events"),
  );
  metrics.counter("croupier_messages_total", "Messages that carried these events.", of("messages"));
  metrics.counter("croupier_redeliveries_total", "Redelivered messages.", of("redelivered"));
  metrics.counter(
    "croupier_retries_total",
    "Messages handed back or refused, to be delivered again.",
    of("retried"),
  );
  // Include counters of zero, because Prometheus sees no increase in a series that starts with 1.
  metrics.counter("croupier_dead_letters_total", "Events that became dead letters.", () =>
    works.flatMap(({ name, deadLetters }) =>
      deadReasons.map((reason) => ({ labels: { work: name, reason }, value: deadLetters.get(reason) ?? 0 })),
    ),
  );
  metrics.gauge("croupier_events_in_flight", "Events in hand.", of("inFlight"));
  metrics.histogram(
    "croupier_event_duration_seconds",
    "Time from receiving an event until it is handled.",
    () => works.map((work) => ({ ...work.durations.distribution, labels: { work: work.name } })),
  );
  metrics.histogram("croupier_message_events", "Events per message.", () =>
    works.map((work) => ({ ...work.sizes.distribution, labels: { work: work.name } })),
  );
}
