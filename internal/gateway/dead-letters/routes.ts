import type { FastifyInstance } from "fastify";
import type { NatsConnection } from "nats";
import type { DryRunRules } from "../../dead-letters/dry-run.ts";
import { LetterStore } from "../../dead-letters/store.ts";
import { bufferBodies } from "../../http/buffered-body.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { addComponents } from "../../http/schemas.ts";
import type { IngestBuffer } from "../../jetstream/ingest-buffer.ts";
import { DeadLetterHandlers } from "./handlers.ts";
import { deadLetterComponents, deadLetterSchemas } from "./schemas.ts";

export interface DeadLetterDependencies extends DryRunRules {
  readonly nc: NatsConnection;
  readonly buffer: Pick<IngestBuffer, "publish">;
}

/** Adds the routes of the dead letters: an operator's key works on all of them, a client's key on its own. */
export async function addDeadLetterRoutes(
  app: FastifyInstance,
  { nc, buffer, types, maxAheadMs, knowsClient, currentRates }: DeadLetterDependencies,
  context: RouteContext,
): Promise<void> {
  addComponents(app, deadLetterComponents);
  const { limits, stopping, log } = context;
  const handlers = new DeadLetterHandlers({
    store: new LetterStore(nc),
    publish: (message) => buffer.publish(message, AbortSignal.timeout(limits.patienceMs)),
    rules: { types, maxAheadMs, knowsClient, currentRates },
    log,
    stopping,
  });
  await app.register(async (scope) => {
    // A payload is replayed byte for byte.
    bufferBodies(scope, context, { maxBytes: 2 ** 20, whenTooLarge: "no stream would take such an event" });
    const on = (schema: object) => ({ ...context.behindKey, schema });
    const { list, show, replay, replayMany, discard } = deadLetterSchemas;
    scope.get("/dead-letters", on(list), (request) => handlers.list(request));
    scope.get("/dead-letters/:seq", on(show), (request) => handlers.show(request));
    scope.post("/dead-letters/:seq/replay", on(replay), (request) => handlers.replay(request));
    scope.post("/dead-letters/replay", on(replayMany), (request) => handlers.replayMany(request));
    scope.delete("/dead-letters/:seq", on(discard), (request, reply) => handlers.discard(request, reply));
  });
}
