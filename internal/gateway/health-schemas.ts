import { type TSchema, Type } from "typebox";
import { json } from "../http/schemas.ts";

/** The components of the API's description that probes need. */
export const healthComponents: Readonly<Record<string, TSchema>> = {
  Alive: Type.Object({ status: Type.Unsafe({ type: "string", enum: ["alive"] }) }),
  Readiness: Type.Object({
    status: Type.Unsafe({ type: "string", enum: ["ready", "not ready"] }),
    checks: Type.Record(Type.String(), Type.String(), { description: "`ok`, or what is missing" }),
    warnings: Type.Optional(
      Type.Array(Type.String(), {
        description: "problems that do not make it unready; absent if there are none",
      }),
    ),
  }),
};

/** What the description says of the probes' routes. */
export const healthSchemas = {
  healthz: {
    operationId: "healthz",
    summary: "Whether the process is alive",
    tags: ["health"],
    response: { 200: json("Alive", "it is") },
  },
  readyz: {
    operationId: "readyz",
    summary: "Whether the gateway is ready",
    tags: ["health"],
    response: { 200: json("Readiness", "it is ready"), 503: json("Readiness", "it is not ready") },
  },
  metrics: {
    operationId: "metrics",
    summary: "The gateway's metrics, for Prometheus",
    tags: ["health"],
    response: {
      200: { description: "they are", content: { "text/plain": { schema: Type.String() } } },
    },
  },
} as const;
