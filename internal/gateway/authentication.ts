import type { FastifyRequest } from "fastify";
import type { KnownKey } from "../clients/key-ring.ts";
import { Problem, unavailable } from "../problem.ts";
import { isUnavailable } from "../unavailable.ts";

/** Who sent a request, by the key in it. */
export interface KeyHolder {
  readonly keyId: string;
  /** Undefined: an operator, who may look at every client's dead letters. */
  readonly client: string | undefined;
}

/** The holder of a key that belongs to one client's producer. */
export interface Producer extends KeyHolder {
  readonly client: string;
  readonly source: string;
}

/** What authentication needs of the keys. */
export interface Keys {
  /** @throws Unavailable */
  find(key: string): Promise<KnownKey | undefined>;
}

const holders = new WeakMap<FastifyRequest, KeyHolder | Producer>();

/** A hook for routes that need a key: 401 without a known one, 403 for one that is no longer good. */
export function requireKey(keys: Keys): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const [, text] = /^Bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? "") ?? [];
    if (text === undefined)
      throw unauthorized(
        "This needs an API key in the header: Authorization: Bearer <key>.",
        'Bearer realm="croupier"',
      );
    const key = await find(keys, text);
    if (key === undefined)
      throw unauthorized("There is no such API key.", 'Bearer realm="croupier", error="invalid_token"');
    if (key.revokedAt !== null) throw new Problem(403, "This API key was revoked.");
    if (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now())
      throw new Problem(403, "This API key has expired.");
    const { id: keyId, client, source } = key;
    holders.set(
      request,
      client === null || source === null ? { keyId, client: undefined } : { keyId, client, source },
    );
  };
}

/** Who sent this request; for routes behind `requireKey`. */
export function holderOf(request: FastifyRequest): KeyHolder {
  const holder = holders.get(request);
  if (holder === undefined) throw new Error("this route does not ask for a key");
  return holder;
}

/** As `holderOf`, for routes that are a client's own. @throws Problem 403 for an operator */
export function producerOf(request: FastifyRequest): Producer {
  const holder = holderOf(request);
  if (holder.client !== undefined && "source" in holder) return holder as Producer; // both fields are there
  throw new Problem(
    403,
    "An operator's key belongs to no client: use a key of the client whose events these are.",
  );
}

async function find(keys: Keys, text: string): Promise<KnownKey | undefined> {
  try {
    return await keys.find(text);
  } catch (err) {
    if (!isUnavailable(err)) throw err;
    throw unavailable("API keys cannot be checked at the moment: try again shortly.", { cause: err });
  }
}

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem(401, detail, { headers: { "www-authenticate": challenge } });
}
