import type { FastifyInstance } from "fastify";
import type { NatsConnection } from "nats";
import type { Durable } from "../jetstream/durable.ts";
import { brokerAnswers } from "../jetstream/readiness.ts";
import type { StreamKeeper } from "../jetstream/stream-keeper.ts";
import { type ConfigDrift, ConfigDriftWatch } from "../service/config-drift.ts";
import { buildHealth, type ReadyChecks, type Warnings } from "../service/health.ts";
import type { Opening } from "../service/opening.ts";
import { announce } from "./announce.ts";
import { addConsumers } from "./bus-metrics.ts";
import type { Metrics } from "./metrics.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { serviceMetrics } from "./service-metrics.ts";
import { addPublisher, type TimedPublisher } from "./timed-publisher.ts";
import type { WorkMeter } from "./work-meter.ts";

interface Reported {
  readonly nc: NatsConnection;
  readonly streams: StreamKeeper;
  /** Conditions of its own for being ready, besides that NATS answers and has its streams. */
  readonly checks: ReadyChecks;
  /** Warnings of its own, besides config drift. */
  readonly warnings?: Warnings;
  /** Each looks for config drift at one server, now and every ten minutes. */
  readonly drift?: readonly (() => Promise<ConfigDrift>)[];
  readonly works: readonly WorkMeter[];
  /** The consumers whose lag its metrics show. */
  readonly durables?: readonly Durable[];
  readonly publisher?: TimedPublisher;
  /** As for `announce`. */
  readonly isDiscoverable?: boolean;
}

/**
 * Has a service report its state until it is closed: on the bus, and over HTTP by `/healthz`, `/readyz` and `/metrics`.
 * The HTTP server does not listen yet.
 */
export function report(
  { name: service, log, onClose }: Pick<Opening, "name" | "log" | "onClose">,
  { nc, streams, drift = [], publisher, durables = [], ...its }: Reported,
): {
  readonly metrics: Metrics;
  readonly http: FastifyInstance;
} {
  const watch = new ConfigDriftWatch(drift, log);
  onClose("drift", () => watch.close());
  const checks = { nats: brokerAnswers(nc), streams: streams.check, ...its.checks };
  const warnings = () => [...watch.warnings, ...(its.warnings?.() ?? [])];
  const state = { ...its, nc, service, checks, warnings, log };
  onClose("status", announce(state));
  const metrics = serviceMetrics(state);
  if (publisher !== undefined) addPublisher(metrics, publisher);
  if (durables.length > 0) addConsumers(metrics, nc, durables);
  const http = buildHealth(checks, log, warnings);
  serveMetrics(http, metrics);
  onClose("HTTP", () => http.close());
  return { metrics, http };
}
