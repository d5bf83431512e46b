import { type FastifyInstance, fastify } from "fastify";
import type { Config } from "./config.ts";

/** What a service depends on for being ready. Resolves to undefined when fine, else to a sentence that says what is not. */
export type ReadyCheck = (signal: AbortSignal) => Promise<string | undefined> | string | undefined;

/** A check that takes longer than this counts as failed: a probe must answer while a dependency hangs. */
const checkTimeoutMs = 2_000;

/**
 * The HTTP side every service has: `/healthz` answers 200 while the process is alive, `/readyz` 200 when all checks
 * pass, else 503 with what is missing. Routes of the service's own may be added to the returned app before it listens.
 */
export function buildHealth(checks: Readonly<Record<string, ReadyCheck>>): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
  });
  app.get("/healthz", () => ({ status: "alive" }));
  app.get("/readyz", async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, (await outcome(check)) ?? "ok"] as const),
    );
    const ready = results.every(([, result]) => result === "ok");
    reply.code(ready ? 200 : 503);
    return { status: ready ? "ready" : "not ready", checks: Object.fromEntries(results) };
  });
  return app;
}

/** Starts listening on HTTP_HOST:HTTP_PORT; resolves to the address as a URL. Throws one sentence when the port is taken. */
export async function listen(
  app: FastifyInstance,
  config: Config<"HTTP_HOST" | "HTTP_PORT">,
): Promise<string> {
  try {
    return await app.listen({ host: config.HTTP_HOST, port: config.HTTP_PORT });
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === "EADDRINUSE")
      throw new Error(
        `port ${config.HTTP_PORT} on ${config.HTTP_HOST} is taken: stop what listens there or set HTTP_PORT`,
        { cause: err },
      );
    throw err;
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
    return err instanceof Error ? err.message : String(err);
  }
}
