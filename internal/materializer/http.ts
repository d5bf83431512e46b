import type { FastifyInstance } from "fastify";
import type { Log } from "../log.ts";
import { Problem, sendProblem } from "../problem.ts";
import type { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";

const rebuilding = new Problem(503, "The figures are being rebuilt; they are there soon.", {
  headers: { "retry-after": "1" },
});

/**
 * Adds `GET /materialized`, and `GET /materialize` as its older name, to the service's HTTP: the aggregates as they
 * are at this moment. Parameters nobody can answer are a 400 with a problem document (RFC 9457), and until the rebuild
 * at start is done everything is a 503: half of the figures would look like all of them.
 * @param caughtUp whether the rebuild is done
 * @param now the clock, milliseconds since 1970
 * @param log takes what nobody expected
 * @returns the app it was given
 */
export function buildMaterializerHttp(
  app: FastifyInstance,
  fold: Fold,
  caughtUp: () => boolean,
  now: () => number = Date.now,
  log?: Log,
): FastifyInstance {
  for (const url of ["/materialized", "/materialize"]) {
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>(url, (request, reply) => {
      // The figures change with every event and every second.
      reply.header("cache-control", "no-store");
      try {
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
