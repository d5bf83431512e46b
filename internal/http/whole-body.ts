import type { FastifyRequest } from "fastify";
import { readJsonBytes } from "../service/json.ts";
import { Problem } from "../service/problem.ts";
import { admit } from "./authentication.ts";
import { readBody } from "./body.ts";
import type { OpenBody } from "./body-budget.ts";
import { sourceOf } from "./body-source.ts";
import type { RouteContext } from "./route-context.ts";

const maxBytes = 2 ** 20;
/** A body above this may take too long to parse in one go. */
export const largeBytes = 16 * 1024;
/** After a body took longer than this, its key is checked again. */
const slowMs = 2_000;

/**
 * The whole body of a request whose handler reads it itself, once it knows the client.
 * @param whenTooLarge advice for the sender, as the end of a sentence
 * @throws Problem as `readBody` and `admit` do
 */
export async function readWholeBody(
  request: FastifyRequest,
  counted: OpenBody,
  { keys, limits, stopping }: Pick<RouteContext, "keys" | "limits" | "stopping">,
  whenTooLarge: string,
): Promise<Uint8Array> {
  const began = performance.now();
  const withinMs = limits.bodyWithinMs;
  const body = await readBody(sourceOf(request.raw), { counted, maxBytes, withinMs, stopping, whenTooLarge });
  if (performance.now() - began > slowMs) await admit(keys, request);
  return body;
}

/** @throws Problem 400 */
export function parseJson(body: Uint8Array): unknown {
  const value = readJsonBytes(body);
  if (value === undefined) throw new Problem(400, "The body is not JSON in UTF-8.");
  return value;
}
