import type { FastifyInstance } from "fastify";
import type { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";

/**
 * Adds `GET /materialized`, and `GET /materialize` as its older name, to the service's HTTP: the aggregates as they
 * are at this moment, also while a rebuild still runs. Parameters nobody can answer are a 400 with a problem document
 * (RFC 9457).
 * @param now the clock, milliseconds since 1970
 * @returns the app it was given
 */
export function buildMaterializerHttp(
  app: FastifyInstance,
  fold: Fold,
  now: () => number = Date.now,
): FastifyInstance {
  for (const url of ["/materialized", "/materialize"]) {
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>(url, (request, reply) => {
      // The figures change with every event and every second.
      reply.header("cache-control", "no-store");
      try {
        const body = answer(fold, parseQuery(request.query), now());
        return reply.type("application/json; charset=utf-8").send(body);
      } catch (err) {
        if (!(err instanceof QueryError)) throw err;
        const problem = { type: "about:blank", title: "Bad Request", status: 400, detail: err.message };
        // As bytes, because Fastify adds a charset to text, which this media type does not have.
        return reply
          .code(400)
          .type("application/problem+json")
          .send(Buffer.from(JSON.stringify(problem)));
      }
    });
  }
  return app;
}
