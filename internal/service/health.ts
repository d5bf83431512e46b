import { type FastifyInstance, fastify, type RouteShorthandOptions } from "fastify";
import type { Config } from "./config.ts";
import { type Log, reasonOf } from "./log.ts";
import { Problem, sendProblem } from "./problem.ts";
import { leaveBodiesUnread } from "./unread-bodies.ts";

/**
 * A condition for being ready. Resolves to undefined when it holds, else to a sentence that says why not. An error counts
 * as its message.
 */
export type ReadyCheck = (signal: AbortSignal) => Promise<string | undefined> | string | undefined;

/** The variables of a service's HTTP. */
export const httpVariables = ["HTTP_PORT", "HTTP_HOST"] as const;

/** A check that takes longer than this counts as failed: a probe must answer while a dependency hangs. */
const checkTimeoutMs = 2_000;

/** What an operator should look at, but no reason to take a service out of operation. */
export type Warnings = () => readonly string[];

export type ReadyChecks = Readonly<Record<string, ReadyCheck>>;

/** The result of all checks. */
interface Readout {
  readonly ready: boolean;
  /** "ok", or a sentence that says why not. */
  readonly checks: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** Runs all checks at once; takes two seconds at most and never rejects. */
export async function lookAt(checks: ReadyChecks, warnings: Warnings = () => []): Promise<Readout> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, (await outcome(check)) ?? "ok"] as const),
  );
  return {
    ready: results.every(([, result]) => result === "ok"),
    checks: Object.fromEntries(results),
    warnings: warnings(),
  };
}

/**
 * The HTTP side of every service. `/healthz` answers 200 while the process is alive. `/readyz` answers 200 when all
 * checks pass, else 503 with what is missing; warnings are shown and change nothing. A service may add routes of its own
 * before listening. Unknown paths and errors are answered with problem documents.
 * @param log gets unexpected errors
 */
export function buildHealth(checks: ReadyChecks, log?: Log, warnings: Warnings = () => []): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
    // From before routing, such as a path that is not percent-encoded.
    frameworkErrors: (err, request, reply) => sendProblem(err, request, reply, log),
  });
  leaveBodiesUnread(app);
  app.setErrorHandler((err, request, reply) => sendProblem(err, request, reply, log));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new Problem(404, "There is nothing at this path."), request, reply, log),
  );
  addHealthRoutes(app, checks, { warnings });
  return app;
}

/**
 * Adds `/healthz` and `/readyz` to another app.
 * @param options of the two routes
 */
export function addHealthRoutes(
  app: FastifyInstance,
  checks: ReadyChecks,
  {
    healthz = {},
    readyz = {},
    warnings = () => [],
  }: { healthz?: RouteShorthandOptions; readyz?: RouteShorthandOptions; warnings?: Warnings } = {},
): void {
  app.get("/healthz", healthz, () => ({ status: "alive" }));
  const look = shared(() => lookAt(checks, warnings));
  app.get("/readyz", readyz, async (_request, reply) => {
    const found = await look();
    reply.code(found.ready ? 200 : 503);
    return {
      status: found.ready ? "ready" : "not ready",
      checks: found.checks,
      ...(found.warnings.length > 0 ? { warnings: found.warnings } : {}),
    };
  });
}

/** Everybody who asks while an answer is on its way gets that one: anybody may probe, and each check asks a server. */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}

/** Listens on HTTP_HOST:HTTP_PORT; resolves to the address as a URL. Throws one sentence when it cannot. */
export async function listen(
  app: FastifyInstance,
  { HTTP_HOST: host, HTTP_PORT: port }: Config<(typeof httpVariables)[number]>,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (err) {
    if (!(err instanceof Error && "syscall" in err)) throw err;
    const problem =
      "code" in err && err.code === "EADDRINUSE"
        ? `port ${port} on ${host} is taken: stop what listens there or set HTTP_PORT`
        : `cannot listen on port ${port} of ${host} (${err.message}): set HTTP_HOST and HTTP_PORT`;
    throw new Error(problem, { cause: err });
  }
}

async function outcome(check: ReadyCheck): Promise<string | undefined> {
  const signal = AbortSignal.timeout(checkTimeoutMs);
  const timedOut = new Promise<string>((resolve) => {
    signal.addEventListener("abort", () => resolve(`no answer within ${checkTimeoutMs / 1000} s`), {
      once: true,
    });
  });
  try {
    return await Promise.race([Promise.resolve(check(signal)), timedOut]);
  } catch (err) {
    return reasonOf(err);
  }
}
