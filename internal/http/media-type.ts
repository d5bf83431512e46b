import type { FastifyRequest } from "fastify";
import { Problem } from "../service/problem.ts";

/** The only compression accepted; see `sourceOf`. */
const encodings = ["gzip", "x-gzip", "identity"];

/** Which of a POST's media types the body has. @throws Problem 415 when it has another, or is compressed other than by gzip */
export function mediaTypeOf<T extends string>({ headers }: FastifyRequest, taken: readonly T[]): T {
  const encoding = headers["content-encoding"]?.toLowerCase();
  if (encoding !== undefined && !encodings.includes(encoding))
    throw new Problem(
      415,
      "The Content-Encoding must be gzip, or absent for a body that is not compressed.",
      {
        headers: { "accept-encoding": "gzip, identity" },
      },
    );
  const [given = ""] = headers["content-type"]?.split(";", 1) ?? [];
  const mediaType = taken.find((type) => type === given.trim().toLowerCase());
  if (mediaType !== undefined) return mediaType;
  const list = taken.join(", ");
  throw new Problem(415, `The Content-Type must be ${taken.length === 1 ? "" : "one of "}${list}.`, {
    headers: { "accept-post": list },
  });
}
