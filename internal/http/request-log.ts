import { randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isApiKey, prefixOf } from "../clients/api-key.ts";
import { isTraceparent } from "../messages/envelope.ts";
import type { Log } from "../service/log.ts";
import { knownHolder } from "./authentication.ts";

/** Lines a second: more say nothing new, and a flood of bad requests must not become one of the log. */
const mostLines = 20;

/** Asked again and again, and each answer says what is wrong. */
const probes = ["/healthz", "/readyz", "/metrics"];

/** This process's own, so that ids of several gateways differ; a counter tells its requests apart. */
const run = randomBytes(6).toString("hex");
let count = 0;

/** The id of one more request. */
export function newRequestId(): string {
  return `${run}-${(++count).toString(36)}`;
}

/**
 * Every answer carries its request's id, `X-Request-Id`, and each that is an error is a line of the log under that id: who,
 * what, how it ended. Nothing of the body, and of the key its prefix only. Requests that went well are not logged.
 * @param now in ms
 */
export function logRequests(app: FastifyInstance, log: Log, now: () => number = Date.now): void {
  let second = 0;
  let lines = 0;
  app.addHook("onRequest", async (request, reply) => void reply.header("x-request-id", request.id));
  app.addHook("onResponse", async (request, reply) => {
    if (reply.statusCode < 400 || probes.includes(request.routeOptions.url ?? "")) return;
    const current = Math.floor(now() / 1_000);
    if (current !== second) {
      if (lines > mostLines)
        log.warn({ count: lines - mostLines }, "more requests than are logged were answered with errors");
      second = current;
      lines = 0;
    }
    if (++lines > mostLines) return;
    const level = reply.statusCode < 500 ? "info" : "warn";
    log[level](facts(request, reply), `${request.method} answered with ${reply.statusCode}`);
  });
}

function facts(request: FastifyRequest, reply: FastifyReply): Readonly<Record<string, unknown>> {
  const { traceparent } = request.headers;
  const [, key = ""] = /^Bearer +(\S+)/i.exec(request.headers.authorization ?? "") ?? [];
  return {
    request_id: request.id,
    status: reply.statusCode,
    method: request.method,
    // The pattern of the route: the path and the query may hold what is not for a log.
    route: request.routeOptions.url,
    ms: Math.round(reply.elapsedTime),
    // What has not the form of a key may be a password that somebody pasted.
    key: isApiKey(key) ? prefixOf(key) : undefined,
    client: knownHolder(request)?.client,
    trace:
      typeof traceparent === "string" && isTraceparent(traceparent) ? traceparent.split("-")[1] : undefined,
    from: request.ip,
  };
}
