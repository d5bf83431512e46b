import type { Config } from "../service/config.ts";
import type { Log } from "../service/log.ts";
import type { Traces } from "./open-telemetry.ts";

/** The variables of traces. */
export const traceVariables = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
] as const;

/**
 * Opens the export of traces if an endpoint is set, and loads the libraries only then. Close it after everything that
 * is traced.
 */
export async function openTraces(
  service: string,
  config: Config<(typeof traceVariables)[number]>,
  log: Log,
): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return undefined;
  const { Traces } = await import("./open-telemetry.ts");
  const { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: share } = config;
  return new Traces({ service, endpoint, sampler, share, log });
}
