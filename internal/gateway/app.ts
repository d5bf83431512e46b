import { getHeapStatistics } from "node:v8";
import underPressure from "@fastify/under-pressure";
import { type FastifyContextConfig, type FastifyInstance, fastify } from "fastify";
import type { NatsConnection } from "nats";
import { currentRates } from "../dead-letters/forecast.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { addHealthRoutes, type ReadyCheck } from "../health.ts";
import type { Log } from "../log.ts";
import { type Keys, requireKey } from "./authentication.ts";
import { closeConnections } from "./close-connections.ts";
import { addDeadLetterRoutes } from "./dead-letters.ts";
import { describeApi } from "./docs.ts";
import { answerClientError, answerErrors, frameworkErrors } from "./errors.ts";
import { type FindEvents, getEvents } from "./get-events.ts";
import { getMaterialized } from "./get-materialized.ts";
import type { Outbox } from "./outbox.ts";
import { postEvents } from "./post-events.ts";
import { limitRates, perKey } from "./rate-limit.ts";
import type { RequestCounter } from "./request-counter.ts";
import { routeSchemas } from "./schemas.ts";
import type { EventTypes } from "./submission.ts";

export interface GatewayDependencies {
  readonly nc: NatsConnection;
  readonly outbox: Outbox;
  readonly keys: Keys;
  readonly types: EventTypes;
  /** Whether a client is registered. @throws Unavailable */
  readonly knowsClient: (client: string) => Promise<boolean>;
  readonly findEvents: FindEvents;
  readonly counter: RequestCounter;
  /** Requests per second and key. */
  readonly rateLimit: number;
  readonly checks: Readonly<Record<string, ReadyCheck>>;
  /** Semantic version, for the API's description. */
  readonly version: string;
  readonly log: Log;
  /** Aborted when the process stops: uploads without end are answered then. */
  readonly stopping: AbortSignal;
  readonly limits?: Partial<GatewayLimits>;
}

/** Times in ms. */
export interface GatewayLimits {
  /** How long to wait for the broker before the answer is 503. */
  readonly patienceMs: number;
  /** How long headers may take. */
  readonly headersWithinMs: number;
  /** How long a body may take; in a stream of lines, the next line. */
  readonly bodyWithinMs: number;
  /** How long a connection may be silent, and how long it may wait for its next request. */
  readonly silentMs: number;
  /** How long what is still coming of a request that was answered already may take. */
  readonly lingerMs: number;
}

const defaultLimits: GatewayLimits = {
  patienceMs: 5_000,
  headersWithinMs: 10_000,
  bodyWithinMs: 30_000,
  silentMs: 65_000,
  lingerMs: 5_000,
};

/** The HTTP side of the pipeline: everything but listening. Closing it waits for the requests that are under way. */
export async function buildGateway(dependencies: GatewayDependencies): Promise<FastifyInstance> {
  const { nc, outbox, keys, types, knowsClient, findEvents, counter, checks, log, stopping } = dependencies;
  const { patienceMs, headersWithinMs, bodyWithinMs, silentMs, lingerMs } = {
    ...defaultLimits,
    ...dependencies.limits,
  };
  const app = fastify({
    logger: false,
    bodyLimit: 2 ** 20,
    routerOptions: { ignoreTrailingSlash: true },
    connectionTimeout: silentMs,
    keepAliveTimeout: silentMs,
    // A stream of lines has no end; how long its lines may take, and other bodies, is for their readers.
    requestTimeout: 0,
    http: { headersTimeout: headersWithinMs, connectionsCheckingInterval: Math.min(2_000, headersWithinMs) },
    // Requests that come during a stop on connections that are open are served like those before.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: frameworkErrors(log),
  });
  // The schemas are for the description; whoever reads a body or a query checks it and says what is wrong.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);

  closeConnections(app);
  answerErrors(app, log, lingerMs);
  await app.register(underPressure, {
    maxEventLoopDelay: 1_000,
    maxHeapUsedBytes: 0.85 * getHeapStatistics().heap_size_limit,
    retryAfter: 2,
  });
  await limitRates(app, dependencies.rateLimit, counter);
  await describeApi(app, dependencies.version);

  // Probes are answered under any load.
  const config: FastifyContextConfig & { pressureHandler: () => undefined } = {
    pressureHandler: () => undefined,
  };
  addHealthRoutes(app, checks, {
    healthz: { config, schema: routeSchemas.healthz },
    readyz: { config, schema: routeSchemas.readyz },
    warnings: () => outbox.warnings,
  });
  const behindKey = { onRequest: requireKey(keys), config: perKey };
  app.get("/events", { ...behindKey, schema: routeSchemas.getEvents }, getEvents(findEvents));
  await addDeadLetterRoutes(
    app,
    {
      store: new LetterStore(nc),
      publish: (message) => outbox.publish(message, AbortSignal.timeout(patienceMs)),
      oracle: { types, knowsClient, rates: currentRates(nc) },
      log,
      bodyWithinMs,
      stopping,
    },
    behindKey,
  );
  const { getMaterialized: schema } = routeSchemas;
  app.get("/materialized", { schema }, getMaterialized(nc));
  const older = { ...schema, operationId: "getMaterialize", deprecated: true };
  app.get("/materialize", { schema: older }, getMaterialized(nc));
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself, once it knows whose it is.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    const post = postEvents({ outbox, types, patienceMs, bodyWithinMs, stopping });
    scope.post("/events", { ...behindKey, schema: routeSchemas.postEvents }, post);
  });
  return app;
}
