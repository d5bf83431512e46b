import { STATUS_CODES } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "./log.ts";
import { isUnavailable } from "./unavailable.ts";

/** What a problem document may contain beside its standard members, and headers that go with it. */
interface ProblemDetails {
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A request that cannot be answered as asked. Thrown anywhere, answered as a problem document (RFC 9457). */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail one or more sentences for the client */
  constructor(status: number, detail: string, { members = {}, headers = {}, cause }: ProblemDetails = {}) {
    super(detail, { cause });
    this.status = status;
    this.members = members;
    this.headers = headers;
  }
}

const retryAfterSeconds = 2;

/** Something that the service needs is away or full; the same request may succeed in a moment. */
export function unavailable(detail: string, details: Omit<ProblemDetails, "headers"> = {}): Problem {
  return new Problem(503, detail, { ...details, headers: { "retry-after": String(retryAfterSeconds) } });
}

/** Does some work. @throws Problem 503 with this sentence where a server that it needs is away */
export async function orUnavailable<T>(detail: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw isUnavailable(cause) ? unavailable(detail, { cause }) : cause;
  }
}

// Fastify's own errors, by code. Their messages are not meant for clients.
const knownErrors: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  FST_ERR_BAD_URL: [400, "The path is not properly percent-encoded."],
  FST_ERR_MAX_PARAM_LENGTH: [414, "A part of the path is too long."],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, "The body is larger than 1 MiB."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, "The body has another length than Content-Length says."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "This route takes no body of that Content-Type."],
  FST_UNDER_PRESSURE: [503, "The service has more to do than it can: try again in a moment."],
};

/** Anything thrown, as a problem that may be shown: an unexpected error shows nothing of itself. */
function problemOf(err: unknown): Problem {
  if (err instanceof Problem) return err;
  const { code, statusCode } = (typeof err === "object" && err !== null ? err : {}) as {
    code?: unknown;
    statusCode?: unknown;
  }; // both fields are checked below
  const known = typeof code === "string" ? knownErrors[code] : undefined;
  if (known !== undefined) return new Problem(known[0], known[1], { cause: err });
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500)
    return new Problem(statusCode, "The request cannot be understood.", { cause: err });
  return new Problem(500, "The service failed on this request.", { cause: err });
}

/** The document itself. */
export function problemBody({ status, message, members }: Problem): string {
  return JSON.stringify({
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: message,
    ...members,
  });
}

/** Answers with a problem and logs an unexpected one with its cause. */
export function sendProblem(err: unknown, request: FastifyRequest, reply: FastifyReply, log?: Log): void {
  const problem = problemOf(err);
  if (problem.status === 500)
    log?.error({ err, method: request.method, route: request.routeOptions.url }, "a request failed");
  // As bytes, because Fastify adds a charset to texts, which this media type does not have.
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .type("application/problem+json")
    .send(Buffer.from(problemBody(problem)));
}
