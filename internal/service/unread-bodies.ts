import type { FastifyInstance } from "fastify";

/**
 * Leaves bodies unread: a route that wants one reads it itself, within its limits. By default the framework would read
 * and keep the body of every request, also of one without a key whose path does not exist.
 */
export function leaveBodiesUnread(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
}
