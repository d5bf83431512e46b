import type { Opening } from "../service/opening.ts";
import type { Traces } from "./open-telemetry.ts";

export const traceVariables = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
] as const;

/**
 * Opens the export of traces if an endpoint is set, and loads the libraries only then. Open it before everything that
 * is traced, so that it is closed after it.
 */
export async function openTraces({
  name: service,
  config,
  log,
  onClose,
}: Omit<Opening<(typeof traceVariables)[number]>, "signal">): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return undefined;
  const { Traces } = await import("./open-telemetry.ts");
  const { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: share } = config;
  const traces = new Traces({ service, endpoint, sampler, share, log });
  onClose("traces", () => traces.close());
  return traces;
}
