import type { FastifyInstance } from "fastify";
import { Problem, problemBody, unavailable } from "../service/problem.ts";
import { onAnswerEnd } from "./answer-end.ts";
import { knownHolder, ownerOf } from "./authentication.ts";

/** Bytes of answers that are still to be read, of one owner of keys and of all. */
export interface UnreadLimits {
  readonly bytesOfOwner: number;
  readonly bytes: number;
}

const MiB = 2 ** 20;
const usual: UnreadLimits = { bytesOfOwner: 24 * MiB, bytes: 128 * MiB };
/** The sockets' own buffers hold smaller answers. */
const leastBytes = 16 * 1024;

/**
 * Limits the memory of answers that their clients do not read: a client that asks for large ones and reads none would
 * otherwise fill the process. An answer that is too much is not sent, and a problem is sent instead.
 */
export function limitUnread(app: FastifyInstance, limits: Partial<UnreadLimits> = {}): void {
  const { bytesOfOwner, bytes } = { ...usual, ...limits };
  const owners = new Map<string, number>();
  let all = 0;
  const add = (owner: string, more: number): void => {
    all += more;
    const sum = (owners.get(owner) ?? 0) + more;
    if (sum > 0) owners.set(owner, sum);
    else owners.delete(owner);
  };
  /** One answer always has room, whatever its size. */
  const problemOf = (owner: string, size: number): Problem | undefined => {
    const unread = owners.get(owner) ?? 0;
    if (unread > 0 && unread + size > bytesOfOwner)
      return new Problem(429, `${unread} bytes of earlier answers are not read yet: read them first.`, {
        headers: { "retry-after": "1" },
      });
    return all > 0 && all + size > bytes
      ? unavailable("Too many answers wait to be read at the moment: try again shortly.")
      : undefined;
  };

  app.addHook("onSend", (request, reply, payload, done) => {
    const holder = knownHolder(request);
    const size = sizeOf(payload);
    if (holder === undefined || size < leastBytes) return done();
    const owner = ownerOf(holder);
    const problem = problemOf(owner, size);
    if (problem !== undefined) {
      reply.code(problem.status).headers(problem.headers).type("application/problem+json");
      return done(null, Buffer.from(problemBody(problem)));
    }
    add(owner, size);
    onAnswerEnd(request, reply, () => add(owner, -size));
    done();
  });
}

/** Zero for a stream, which is read only as fast as its client reads. */
function sizeOf(payload: unknown): number {
  return typeof payload === "string" || payload instanceof Uint8Array ? payload.length : 0;
}
