import { randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isApiKey, prefixOf } from "../clients/api-key.ts";
import { isTraceparent } from "../messages/envelope.ts";
import type { Log } from "../service/log.ts";
import { LogLimit } from "../service/log-limit.ts";
import { knownHolder } from "./authentication.ts";

/** Probes repeat these requests, and each answer says what is wrong. */
const probes = ["/healthz", "/readyz", "/metrics"];

/** Random, so that ids of several gateways differ; a counter tells this one's requests apart. */
const run = randomBytes(6).toString("hex");
let count = 0;

/** The next request's id. */
export function newRequestId(): string {
  return `${run}-${(++count).toString(36)}`;
}

/**
 * Every answer carries its request's id, `X-Request-Id`, and every error is logged under that id: who, what, how it
 * ended. Never the body, and of the key only its prefix. Successful requests are not logged.
 */
export function logRequests(app: FastifyInstance, log: Log): void {
  const lines = new LogLimit(log);
  app.addHook("onRequest", async (request, reply) => void reply.header("x-request-id", request.id));
  app.addHook("onResponse", async (request, reply) => {
    if (reply.statusCode < 400 || probes.includes(request.routeOptions.url ?? "")) return;
    const level = reply.statusCode < 500 ? "info" : "warn";
    const text = `${request.method} answered with ${reply.statusCode}`;
    lines.line(level, { client: knownHolder(request)?.client }, facts(request, reply), text);
  });
}

function facts(request: FastifyRequest, reply: FastifyReply): Readonly<Record<string, unknown>> {
  const { traceparent } = request.headers;
  const [, key = ""] = /^Bearer +(\S+)/i.exec(request.headers.authorization ?? "") ?? [];
  return {
    request_id: request.id,
    status: reply.statusCode,
    method: request.method,
    // The route's pattern, because path and query may hold what must not be logged.
    route: request.routeOptions.url,
    ms: Math.round(reply.elapsedTime),
    // Anything that does not look like a key may be a pasted password.
    key: isApiKey(key) ? prefixOf(key) : undefined,
    trace:
      typeof traceparent === "string" && isTraceparent(traceparent) ? traceparent.split("-")[1] : undefined,
    from: request.ip,
  };
}
