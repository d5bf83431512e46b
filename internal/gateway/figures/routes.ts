import type { FastifyInstance } from "fastify";
import type { NatsConnection } from "nats";
import type { RouteContext } from "../../http/route-context.ts";
import { addComponents } from "../../http/schemas.ts";
import { type Figures, getMaterialized } from "./get-materialized.ts";
import { figureComponents, figureSchemas } from "./schemas.ts";

export interface FigureDependencies {
  readonly nc: NatsConnection;
  readonly figures: Figures;
}

/** Adds the route of the aggregates, also under its older name. */
export function addFigureRoutes(
  app: FastifyInstance,
  { nc, figures }: FigureDependencies,
  context: Pick<RouteContext, "behindKey">,
): void {
  addComponents(app, figureComponents);
  const options = figures === "public" ? {} : context.behindKey;
  const schema = figureSchemas[figures];
  const handler = getMaterialized(nc, figures);
  app.get("/materialized", { ...options, schema }, handler);
  const older = { ...schema, operationId: "getMaterialize", deprecated: true };
  app.get("/materialize", { ...options, schema: older }, handler);
}
