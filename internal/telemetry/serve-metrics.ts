import type { FastifyInstance, RouteShorthandOptions } from "fastify";
import { DurationHistogram } from "./duration-histogram.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Adds `GET /metrics` to a service's HTTP, and counts all requests by method, route and status. An unknown path counts
 * as the route `none`, so that made-up paths cannot fill the memory.
 * @param options of the route
 */
export function serveMetrics(
  app: FastifyInstance,
  metrics: Metrics,
  options: RouteShorthandOptions = {},
): void {
  const requests = new Map<string, { labels: Record<string, string>; durations: DurationHistogram }>();
  app.addHook("onResponse", async ({ method, routeOptions }, { statusCode, elapsedTime }) => {
    const route = routeOptions.url ?? "none";
    const key = `${method} ${route} ${statusCode}`;
    let known = requests.get(key);
    if (known === undefined) {
      known = { labels: { method, route, status: String(statusCode) }, durations: new DurationHistogram() };
      requests.set(key, known);
    }
    known.durations.addMs(elapsedTime);
  });
  metrics.histogram(
    "croupier_http_request_duration_seconds",
    "Duration of requests, by method, route and status.",
    () => [...requests.values()].map(({ labels, durations }) => ({ ...durations.distribution, labels })),
  );
  app.get("/metrics", options, async (_request, reply) => {
    reply.type(metrics.mediaType).header("cache-control", "no-store");
    return metrics.text();
  });
}
