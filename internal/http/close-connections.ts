import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** How long requests may go on at a stop: closing everything else has to fit into the 10 s too. */
const requestsWithinMs = 6_000;
const lookEveryMs = 50;
/** Requests under way on one connection. A client that sends more without awaiting answers does not want any. */
const mostOnConnection = 100;

/**
 * Counts the requests under way and closes connections with too many. At a stop it lets requests finish and then closes
 * every connection: the server itself would wait for clients that have sent half of their headers, or do not read their
 * answer.
 */
export function closeConnections(app: FastifyInstance): void {
  const connections = new WeakMap<Socket, { underWay: number }>();
  let underWay = 0;
  const connectionOf = (socket: Socket) => {
    const known = connections.get(socket);
    if (known !== undefined) return known;
    const connection = { underWay: 0 };
    connections.set(socket, connection);
    // Answers queued behind another one on the connection do not learn of its end.
    socket.once("close", () => {
      underWay -= connection.underWay;
      connection.underWay = 0;
    });
    return connection;
  };
  app.addHook("onRequest", async (request, reply) => {
    const { socket } = request.raw;
    const connection = connectionOf(socket);
    if (connection.underWay >= mostOnConnection) {
      socket.destroy();
      reply.hijack();
      return;
    }
    connection.underWay++;
    underWay++;
    reply.raw.once("close", () => {
      if (connection.underWay === 0) return;
      connection.underWay--;
      underWay--;
    });
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
