import type { FastifyInstance } from "fastify";
import { bufferBodies } from "../../http/buffered-body.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { addComponents } from "../../http/schemas.ts";
import type { Webhooks } from "../../webhooks/webhooks.ts";
import { WebhookAccess } from "./access.ts";
import { webhookComponents } from "./components.ts";
import { DeliveryHandlers } from "./delivery-handlers.ts";
import { DestinationHandlers } from "./destination-handlers.ts";
import { webhookSchemas } from "./schemas.ts";

export interface WebhookDependencies {
  /** Undefined where there is no key to encrypt secrets with: the routes then say so. */
  readonly webhooks: Webhooks | undefined;
}

/**
 * Adds the routes of destinations and deliveries: an operator's key works on all of them, a client's key on its own.
 */
export async function addWebhookRoutes(
  app: FastifyInstance,
  { webhooks }: WebhookDependencies,
  context: RouteContext,
): Promise<void> {
  addComponents(app, webhookComponents);
  const access = new WebhookAccess(webhooks);
  const destinations = new DestinationHandlers(access, context.stopping);
  const deliveries = new DeliveryHandlers(access);
  await app.register(async (scope) => {
    bufferBodies(scope, context, { maxBytes: 64 * 1024, whenTooLarge: "no destination needs that much" });
    const on = (schema: object) => ({ ...context.behindKey, schema });
    const of = webhookSchemas;
    const one = "/destinations/:id";
    scope.get("/destinations", on(of.list), (request) => destinations.list(request));
    scope.post("/destinations", on(of.create), (request, reply) => destinations.create(request, reply));
    scope.get(one, on(of.find), (request) => destinations.find(request));
    scope.patch(one, on(of.change), (request) => destinations.change(request));
    scope.delete(one, on(of.remove), (request, reply) => destinations.remove(request, reply));
    scope.post(`${one}/rotate`, on(of.rotate), (request) => destinations.rotate(request));
    scope.post(`${one}/test`, on(of.test), (request) => destinations.test(request));
    scope.post(`${one}/replay`, on(of.replay), (request, reply) => deliveries.replay(request, reply));
    scope.get("/deliveries", on(of.deliveries), (request) => deliveries.list(request));
    scope.post("/deliveries/:id/resend", on(of.resend), (request, reply) =>
      deliveries.resend(request, reply),
    );
  });
}
