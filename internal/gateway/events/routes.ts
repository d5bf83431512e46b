import type { FastifyInstance } from "fastify";
import type { RouteContext } from "../../http/route-context.ts";
import { addComponents } from "../../http/schemas.ts";
import type { IngestBuffer } from "../../jetstream/ingest-buffer.ts";
import type { SourceTrace } from "../../messages/trace.ts";
import { EventBatcher } from "./event-batcher.ts";
import { type FindEvents, getEvents } from "./get-events.ts";
import { postEvents } from "./post-events.ts";
import { eventComponents, eventSchemas } from "./schemas.ts";
import type { EventTypes } from "./submission.ts";

export interface EventDependencies {
  readonly buffer: IngestBuffer;
  /** Whether several events may travel in one message. */
  readonly bundles: () => boolean;
  readonly types: EventTypes;
  /** How far ahead of the clock an event may be dated, in ms; Infinity takes any date. */
  readonly maxAheadMs: number;
  readonly findEvents: FindEvents;
  /** Traces requests that send events. */
  readonly trace?: SourceTrace | undefined;
}

/** Adds the routes of the events: a producer's key sends and reads those of its client. */
export function addEventRoutes(
  app: FastifyInstance,
  { buffer, bundles, types, maxAheadMs, findEvents, trace }: EventDependencies,
  context: RouteContext,
): void {
  addComponents(app, eventComponents);
  const { behindKey } = context;
  app.get("/events", { ...behindKey, schema: eventSchemas.list }, getEvents(findEvents));
  const batcher = new EventBatcher({ buffer, bundles });
  const post = postEvents({ batcher, types, maxAheadMs, trace }, context);
  app.post("/events", { ...behindKey, schema: eventSchemas.post }, post);
}
