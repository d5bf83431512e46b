import type { FastifyInstance } from "fastify";
import type { Log } from "../service/log.ts";
import { Problem, sendProblem } from "../service/problem.ts";
import type { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";

const rebuilding = new Problem(503, "The figures are being rebuilt; they are there soon.", {
  headers: { "retry-after": "1" },
});

const withKeyOnly = new Problem(
  403,
  "The figures need an API key, which only the gateway can check: ask there, GET /materialized.",
);

interface MaterializerHttpOptions {
  readonly fold: Fold;
  /** Whether the rebuild has finished. */
  readonly caughtUp: () => boolean;
  /** With `keys` this port answers nobody: it knows no keys, and the gateway asks over NATS. */
  readonly figures: "public" | "keys";
  /** The clock, milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
  /** Gets unexpected errors. */
  readonly log?: Log;
}

/**
 * Adds `GET /materialized`, and `GET /materialize` as its older name, to the service's HTTP: the current aggregates.
 * Invalid parameters are a 400 with a problem document (RFC 9457). Until the rebuild at start has finished everything is
 * a 503: half of the figures would look like all of them.
 * @returns the app it was given
 */
export function buildMaterializerHttp(
  app: FastifyInstance,
  options: MaterializerHttpOptions,
): FastifyInstance {
  const { fold, caughtUp, figures, now = Date.now, log } = options;
  for (const url of ["/materialized", "/materialize"]) {
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>(url, (request, reply) => {
      // The figures change with every event and every second.
      reply.header("cache-control", "no-store");
      try {
        if (figures === "keys") throw withKeyOnly;
        if (!caughtUp()) throw rebuilding;
        const body = answer(fold, parseQuery(request.query), now());
        return reply.type("application/json; charset=utf-8").send(body);
      } catch (err) {
        sendProblem(err instanceof QueryError ? new Problem(400, err.message) : err, request, reply, log);
        return reply;
      }
    });
  }
  return app;
}
