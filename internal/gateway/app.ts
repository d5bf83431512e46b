import { getHeapStatistics } from "node:v8";
import underPressure from "@fastify/under-pressure";
import { type FastifyContextConfig, type FastifyInstance, fastify } from "fastify";
import { type Keys, requireKey } from "../http/authentication.ts";
import { BodyBudget, type BodyBudgetOptions } from "../http/body-budget.ts";
import { closeConnections } from "../http/close-connections.ts";
import { answerClientError, answerErrors, frameworkErrors } from "../http/errors.ts";
import { limitRates, perKey } from "../http/rate-limit.ts";
import type { RequestCounter } from "../http/request-counter.ts";
import { logRequests, newRequestId } from "../http/request-log.ts";
import type { RouteContext, RouteLimits } from "../http/route-context.ts";
import { addComponents, commonComponents } from "../http/schemas.ts";
import { Slices } from "../http/slices.ts";
import { limitUnread, type UnreadLimits } from "../http/unread-answers.ts";
import { addHealthRoutes, type ReadyCheck } from "../service/health.ts";
import type { Log } from "../service/log.ts";
import { leaveBodiesUnread } from "../service/unread-bodies.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { serveMetrics } from "../telemetry/serve-metrics.ts";
import { addDashboardRoutes, type DashboardDependencies } from "./dashboard/routes.ts";
import { addDeadLetterRoutes, type DeadLetterDependencies } from "./dead-letters/routes.ts";
import { describeApi } from "./docs.ts";
import { addEventRoutes, type EventDependencies } from "./events/routes.ts";
import { addFigureRoutes, type FigureDependencies } from "./figures/routes.ts";
import { healthComponents, healthSchemas } from "./health-schemas.ts";
import { addRecordRoutes, type RecordDependencies } from "./records/routes.ts";
import { addWebhookRoutes, type WebhookDependencies } from "./webhooks/routes.ts";

/** What the groups of routes depend on; arguments of the same name are the same thing in all of them. */
type GroupDependencies = EventDependencies &
  DeadLetterDependencies &
  RecordDependencies &
  FigureDependencies &
  WebhookDependencies &
  DashboardDependencies;

export interface GatewayDependencies extends GroupDependencies {
  readonly keys: Keys;
  readonly counter: RequestCounter;
  /** Requests per second and key. */
  readonly rateLimit: number;
  readonly checks: Readonly<Record<string, ReadyCheck>>;
  readonly metrics: Metrics;
  /** Semantic version, for the API's description. */
  readonly version: string;
  readonly log: Log;
  /** Aborted when the process stops: endless uploads are answered then. */
  readonly stopping: AbortSignal;
  readonly limits?: Partial<GatewayLimits>;
  /** Memory for the bodies of unfinished requests. */
  readonly bodies?: Partial<BodyBudgetOptions>;
  /** Memory for answers that are not read. */
  readonly unread?: Partial<UnreadLimits>;
}

/** Times in ms. */
interface GatewayLimits extends RouteLimits {
  /** How long a request's headers may take. */
  readonly headersWithinMs: number;
  /** How long a connection may be silent, and how long it may wait for its next request. */
  readonly silentMs: number;
  /** How long the rest of a request may take that was answered early. */
  readonly lingerMs: number;
  /** Average delay of the event loop over a second beyond which requests are answered with 503; 0 is no limit. */
  readonly heldUpMs: number;
}

const defaultLimits: GatewayLimits = {
  patienceMs: 5_000,
  headersWithinMs: 10_000,
  bodyWithinMs: 30_000,
  eventWithinMs: 600_000,
  silentMs: 65_000,
  lingerMs: 5_000,
  heldUpMs: 1_000,
};

/** Problems for an operator that do not make a gateway unready. */
export function gatewayWarnings({
  buffer,
  counter,
}: Pick<GatewayDependencies, "buffer" | "counter">): readonly string[] {
  return [...buffer.warnings, ...(counter.problem === undefined ? [] : [`${counter.problem}.`])];
}

/** The HTTP side of the pipeline, without listening. Closing it waits for requests under way. */
export async function buildGateway(dependencies: GatewayDependencies): Promise<FastifyInstance> {
  const { keys, counter, metrics, checks, log, stopping } = dependencies;
  const limits = { ...defaultLimits, ...dependencies.limits };
  const { headersWithinMs, silentMs, lingerMs, heldUpMs } = limits;
  const app = fastify({
    logger: false,
    genReqId: newRequestId,
    routerOptions: { ignoreTrailingSlash: true },
    connectionTimeout: silentMs,
    keepAliveTimeout: silentMs,
    // An NDJSON body has no end; its readers limit how long lines, and other bodies, may take.
    requestTimeout: 0,
    http: {
      headersTimeout: headersWithinMs,
      connectionsCheckingInterval: Math.min(2_000, headersWithinMs),
      requireHostHeader: false, // `answerErrors` refuses those without one
    },
    // Requests that arrive on open connections during a stop are served as before.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: frameworkErrors(log),
    // Handlers check parameters against these schemas themselves (`readParameters`) and report all problems at once.
    schemaController: {
      compilersFactory: {
        buildValidator: (() => () => () => true) as never, // the types only know what Ajv builds
        buildSerializer: () => () => JSON.stringify,
      },
    },
  });

  leaveBodiesUnread(app);
  closeConnections(app);
  logRequests(app, log);
  answerErrors(app, log, lingerMs);
  await app.register(underPressure, {
    maxEventLoopDelay: heldUpMs,
    maxHeapUsedBytes: 0.85 * getHeapStatistics().heap_size_limit,
    retryAfter: 2,
  });
  limitUnread(app, dependencies.unread);
  await limitRates(app, dependencies.rateLimit, counter);
  await describeApi(app, dependencies.version);

  // Probes are answered under any load.
  const config: FastifyContextConfig & { pressureHandler: () => undefined } = {
    pressureHandler: () => undefined,
  };
  addComponents(app, { ...commonComponents, ...healthComponents });
  addHealthRoutes(app, checks, {
    healthz: { config, schema: healthSchemas.healthz },
    readyz: { config, schema: healthSchemas.readyz },
    warnings: () => gatewayWarnings(dependencies),
  });
  serveMetrics(app, metrics, { config, schema: healthSchemas.metrics });

  const context: RouteContext = {
    keys,
    behindKey: { onRequest: requireKey(keys), config: perKey },
    bodies: new BodyBudget(dependencies.bodies),
    slices: new Slices(),
    limits,
    log,
    stopping,
  };
  addEventRoutes(app, dependencies, context);
  addRecordRoutes(app, dependencies, context);
  await addDeadLetterRoutes(app, dependencies, context);
  await addWebhookRoutes(app, dependencies, context);
  addFigureRoutes(app, dependencies, context);
  await addDashboardRoutes(app, dependencies, context);
  return app;
}
