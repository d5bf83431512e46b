import type { FastifyInstance } from "fastify";
import { buildHealth } from "../service/health.ts";
import { type AnnounceOptions, announce } from "./announce.ts";
import type { Metrics } from "./metrics.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { serviceMetrics } from "./service-metrics.ts";

interface ReportOptions extends AnnounceOptions {
  /** Registers the end of what it opens. */
  readonly onClose: (what: string, close: () => unknown) => void;
}

/**
 * Has a service report its state: on the bus, and over HTTP by `/healthz`, `/readyz` and `/metrics`. The HTTP server does not
 * listen yet.
 */
export function report(options: ReportOptions): {
  readonly metrics: Metrics;
  readonly http: FastifyInstance;
} {
  const { checks, log, warnings, onClose } = options;
  onClose("status", announce(options));
  const metrics = serviceMetrics(options);
  const http = buildHealth(checks, log, warnings);
  serveMetrics(http, metrics);
  onClose("HTTP", () => http.close());
  return { metrics, http };
}
