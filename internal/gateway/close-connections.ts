import type { FastifyInstance } from "fastify";

/** How long requests may go on: what comes after them has to fit into 10 s too. */
const requestsWithinMs = 6_000;
const lookEveryMs = 50;

/**
 * At a stop, lets the requests that are under way end, and then ends every connection: by itself the server would wait for
 * whoever has sent half of a request's headers, or does not read his answer.
 */
export function closeConnections(app: FastifyInstance): void {
  let underWay = 0;
  app.addHook("onRequest", async (_request, reply) => {
    underWay++;
    reply.raw.once("close", () => underWay--);
  });
  app.addHook("preClose", async () => {
    const deadline = performance.now() + requestsWithinMs;
    const timer = setInterval(() => {
      if (underWay > 0 && performance.now() < deadline) return;
      app.server.closeAllConnections();
      clearInterval(timer);
    }, lookEveryMs).unref();
  });
}
