import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../service/log.ts";
import { Problem, problemBody, sendProblem } from "../service/problem.ts";

/**
 * Answers every error with a problem document: errors of handlers and hooks, unknown paths, and methods that a path does
 * not have. Register it before the routes.
 * @param lingerMs how long a connection stays open for the rest of a request that was answered early
 */
export function answerErrors(app: FastifyInstance, log: Log, lingerMs: number): void {
  const routes: { readonly methods: readonly string[]; readonly path: RegExp; readonly isExact: boolean }[] =
    [];
  app.addHook("onRoute", ({ method, url }) => {
    const pattern = url
      .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
      .replace(/:\w+/g, "[^/]+")
      .replace("*", ".*");
    const path = new RegExp(`^${pattern}/?$`);
    routes.push({ methods: [method].flat(), path, isExact: !/[:*]/.test(url) });
  });

  // One header by hand: @fastify/helmet would add a dozen to each event's answer.
  app.addHook("onRequest", async (_request, reply) => void reply.header("x-content-type-options", "nosniff"));
  // With `requireHostHeader` Node would refuse it too (RFC 9112, section 3.2), but with an empty answer.
  app.addHook("onRequest", async ({ raw }, reply) => {
    if (raw.headers.host !== undefined || raw.httpVersion !== "1.1") return;
    reply.header("connection", "close");
    throw new Problem(400, "A request in HTTP/1.1 needs the header Host.");
  });
  app.setErrorHandler((err, request, reply) => sendProblem(err, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const matching = routes.filter((route) => route.path.test(path));
    // A path with a route of its own must not match as another route's number.
    const own = matching.some(({ isExact }) => isExact)
      ? matching.filter(({ isExact }) => isExact)
      : matching;
    const methods = [...new Set(own.flatMap((route) => route.methods))];
    const problem =
      methods.length === 0 || methods.includes(request.method)
        ? new Problem(404, "There is nothing at this path: /docs shows what there is.")
        : wrongMethod(request.method, methods);
    sendProblem(problem, request, reply, log);
  });

  // A client that is answered early (too large, no key) may still be sending, and would miss the answer if the connection
  // closed at once. Node discards the rest; this limits for how long.
  app.addHook("onResponse", async ({ raw }) => {
    if (raw.complete || raw.destroyed) return;
    const timer = setTimeout(() => raw.destroy(), lingerMs).unref();
    raw.once("close", () => clearTimeout(timer));
  });
}

/** The answer to a method that the path does not have. */
export function wrongMethod(method: string, methods: readonly string[]): Problem {
  const has = methods.join(", ");
  return new Problem(405, `This path has no ${method}, but ${has}.`, { headers: { allow: has } });
}

/** Fastify's own errors before routing, such as a path that is not percent-encoded. */
export function frameworkErrors(log: Log) {
  return (err: Error, request: FastifyRequest, reply: FastifyReply): void =>
    sendProblem(err, request, reply, log);
}

const clientErrors: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "The headers are larger than 16 KiB."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The chunk extensions are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The headers took too long."],
};

/** A request line that is valid but for its method. */
const requestLine = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/;

/** Answers what is no HTTP, or too slow or large to become a request, and closes the connection. */
export function answerClientError(err: Error & { code?: string }, socket: Socket): void {
  if (err.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const received =
    "rawPacket" in err && err.rawPacket instanceof Buffer ? err.rawPacket.toString("latin1") : "";
  const isUnknownMethod = err.code === "HPE_INVALID_METHOD" && requestLine.test(received);
  const [status, detail] = isUnknownMethod
    ? [501, "This method is not known here."]
    : (clientErrors[err.code ?? ""] ?? [400, "The request is not valid HTTP/1.1."]);
  const body = problemBody(new Problem(status, detail));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), 1_000).unref();
}
