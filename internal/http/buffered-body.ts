import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isObject } from "../service/json.ts";
import { Problem } from "../service/problem.ts";
import { knownHolder, ownerOf } from "./authentication.ts";
import { readBody } from "./body.ts";
import type { OpenBody } from "./body-budget.ts";
import { sourceOf } from "./body-source.ts";
import { mediaTypeOf } from "./media-type.ts";
import type { RouteContext } from "./route-context.ts";
import { parseJson } from "./whole-body.ts";

/**
 * Gives the routes of a scope their bodies as whole byte arrays, which count against the budget until
 * the answer is sent.
 * @param whenTooLarge advice for the sender of a body that is too large
 */
export function bufferBodies(
  scope: FastifyInstance,
  { bodies, limits, stopping }: Pick<RouteContext, "bodies" | "limits" | "stopping">,
  { maxBytes, whenTooLarge }: { readonly maxBytes: number; readonly whenTooLarge: string },
): void {
  scope.removeAllContentTypeParsers();
  const open = new WeakMap<FastifyRequest, OpenBody>();
  scope.addHook("onSend", async (request) => open.get(request)?.[Symbol.dispose]());
  scope.addContentTypeParser("*", async (request: FastifyRequest, raw: IncomingMessage) => {
    const holder = knownHolder(request);
    const counted = bodies.open(holder === undefined ? "nobody" : ownerOf(holder), request.ip);
    open.set(request, counted);
    const withinMs = limits.bodyWithinMs;
    return readBody(sourceOf(raw), { counted, maxBytes, withinMs, stopping, whenTooLarge });
  });
}

/** The bytes of a JSON body; undefined without a body. @throws Problem 415 */
export function bodyOf(request: FastifyRequest): Uint8Array | undefined {
  const { body } = request;
  if (!(body instanceof Uint8Array) || body.length === 0) return undefined;
  mediaTypeOf(request, ["application/json"]);
  return body;
}

/** A body's members; none without a body. @throws Problem 400 */
export function jsonOf(body: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  if (body === undefined) return {};
  const value = parseJson(body);
  if (isObject(value)) return value;
  throw new Problem(400, "The body is not a JSON object.");
}
