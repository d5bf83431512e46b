import type { FastifyInstance, FastifyReply } from "fastify";
import type { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";

/**
 * Adds `GET /materialized`, and `GET /materialize` as its older name, to the service's HTTP: the aggregates as they
 * are at this moment. Parameters nobody can answer are a 400 with a problem document (RFC 9457), and until the rebuild
 * at start is done everything is a 503: half of the figures would look like all of them.
 * @param caughtUp whether the rebuild is done
 * @param now the clock, milliseconds since 1970
 * @returns the app it was given
 */
export function buildMaterializerHttp(
  app: FastifyInstance,
  fold: Fold,
  caughtUp: () => boolean,
  now: () => number = Date.now,
): FastifyInstance {
  for (const url of ["/materialized", "/materialize"]) {
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>(url, (request, reply) => {
      // The figures change with every event and every second.
      reply.header("cache-control", "no-store");
      if (!caughtUp()) {
        reply.header("retry-after", "1");
        return problem(
          reply,
          503,
          "Service Unavailable",
          "The figures are being rebuilt; they are there soon.",
        );
      }
      try {
        const body = answer(fold, parseQuery(request.query), now());
        return reply.type("application/json; charset=utf-8").send(body);
      } catch (err) {
        if (!(err instanceof QueryError)) throw err;
        return problem(reply, 400, "Bad Request", err.message);
      }
    });
  }
  return app;
}

function problem(reply: FastifyReply, status: number, title: string, detail: string): FastifyReply {
  return (
    reply
      .code(status)
      .type("application/problem+json")
      // As bytes, because Fastify adds a charset to text, which this media type does not have.
      .send(Buffer.from(JSON.stringify({ type: "about:blank", title, status, detail })))
  );
}
