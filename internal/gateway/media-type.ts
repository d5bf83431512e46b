import type { FastifyRequest } from "fastify";
import { Problem } from "../problem.ts";

/** Which of the media types that a POST takes its body has. @throws Problem 415 when it has another, or is compressed */
export function mediaTypeOf<T extends string>({ headers }: FastifyRequest, taken: readonly T[]): T {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw new Problem(415, "The body must not be compressed: send it without Content-Encoding.", {
      headers: { "accept-encoding": "identity" },
    });
  const [given = ""] = headers["content-type"]?.split(";", 1) ?? [];
  const mediaType = taken.find((type) => type === given.trim().toLowerCase());
  if (mediaType !== undefined) return mediaType;
  const list = taken.join(", ");
  throw new Problem(415, `The Content-Type must be ${taken.length === 1 ? "" : "one of "}${list}.`, {
    headers: { "accept-post": list },
  });
}
