import type { FastifyRequest } from "fastify";
import type { KnownKey } from "../clients/key-lookup.ts";
import { orUnavailable, Problem } from "../service/problem.ts";

/** Who sent a request, by its key. */
export interface KeyHolder {
  readonly keyId: string;
  /** Undefined: an operator, who may see every client's dead letters. */
  readonly client: string | undefined;
}

/** The holder of a key that belongs to one client's producer. */
interface Producer extends KeyHolder {
  readonly client: string;
  readonly source: string;
}

/** What authentication needs to look up. */
export interface Keys {
  /** @param from the request's address @throws Unavailable */
  find(key: string, from: string): Promise<KnownKey | undefined>;
  /** The holder of a dashboard session. @throws Unavailable */
  session?(token: string, from: string): Promise<KnownKey | undefined>;
}

const holders = new WeakMap<FastifyRequest, KeyHolder | Producer>();

/** A hook for routes that need a key: 401 without a known one, 403 for one that is disabled. */
export function requireKey(keys: Keys): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    holders.set(request, await admit(keys, request));
  };
}

/**
 * The holder of a request's key right now. Long requests call it again from time to time.
 * @throws Problem 401 without a known key, 403 for a disabled one, 503 while it cannot be looked up
 */
export async function admit(keys: Keys, request: FastifyRequest): Promise<KeyHolder | Producer> {
  const [, text] = /^Bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? "") ?? [];
  const token = text === undefined ? sessionTokenOf(request) : undefined;
  if (token !== undefined && keys.session !== undefined) return admitSession(keys.session, token, request);
  if (text === undefined)
    throw unauthorized(
      "This needs an API key in the header: Authorization: Bearer <key>.",
      'Bearer realm="croupier"',
    );
  return holder(await keyIn(keys, text, request.ip));
}

/** The holder of this key, if it is good. @throws Problem as `admit` does */
export async function keyIn(keys: Keys, text: string, from: string): Promise<KnownKey> {
  const key = await sayable(() => keys.find(text, from));
  if (key === undefined)
    throw unauthorized("There is no such API key.", 'Bearer realm="croupier", error="invalid_token"');
  if (key.revokedAt !== null) throw new Problem(403, "This API key was revoked.");
  if (isExpired(key)) throw new Problem(403, "This API key has expired.");
  if (key.disabledAt !== null) throw new Problem(403, `The client "${key.client}" is disabled.`);
  return key;
}

/**
 * Browsers send the cookie by themselves, even when another site's page makes them: a request that changes something
 * needs a header that only our own page can set.
 */
async function admitSession(
  session: NonNullable<Keys["session"]>,
  token: string,
  request: FastifyRequest,
): Promise<KeyHolder | Producer> {
  if (!["GET", "HEAD"].includes(request.method)) requireOwnPage(request);
  const key = await sayable(() => session(token, request.ip));
  if (key === undefined || isExpired(key))
    throw unauthorized("This session has ended: sign in again.", 'Bearer realm="croupier"');
  if (key.revokedAt !== null)
    throw unauthorized("The API key of this session was revoked.", 'Bearer realm="croupier"');
  if (key.disabledAt !== null) throw new Problem(403, `The client "${key.client}" is disabled.`);
  return holder(key);
}

/** @throws Problem 403 unless the request comes from the dashboard, which no other origin can fake */
export function requireOwnPage({ headers }: FastifyRequest): void {
  const site = headers["sec-fetch-site"];
  if (headers["x-croupier"] !== "dashboard" || (site !== undefined && site !== "same-origin"))
    throw new Problem(
      403,
      "A request with a session's cookie also needs the header X-Croupier: dashboard, from our own page.",
    );
}

/** Name of the cookie with the session's token. */
export const sessionCookie = "croupier_session";
const cookieForm = new RegExp(`(?:^|; *)${sessionCookie}=([\\w-]+)`);

export function sessionTokenOf({ headers }: FastifyRequest): string | undefined {
  return cookieForm.exec(headers.cookie ?? "")?.[1];
}

const isExpired = ({ expiresAt }: KnownKey): boolean =>
  expiresAt !== null && expiresAt.getTime() <= Date.now();

function holder({ id: keyId, client, source }: KnownKey): KeyHolder | Producer {
  return client === null || source === null ? { keyId, client: undefined } : { keyId, client, source };
}

/** Who sent this request; for routes behind `requireKey`. */
export function holderOf(request: FastifyRequest): KeyHolder {
  const holder = holders.get(request);
  if (holder === undefined) throw new Error("this route does not ask for a key");
  return holder;
}

/** As `holderOf`, for any route: undefined before the key is checked, or where none is needed. */
export function knownHolder(request: FastifyRequest): KeyHolder | undefined {
  return holders.get(request);
}

/** The owner of a limit: a client with all its keys, or one operator's key. */
export function ownerOf({ client, keyId }: KeyHolder): string {
  return client ?? `key ${keyId}`;
}

/**
 * The client whose data a request is about: the key's own, or the one that an operator names; undefined = all.
 * @param named the client that the request names, if it does
 * @throws Problem 403 when a client's key asks for another client's data
 */
export function clientFor<T>(request: FastifyRequest, named: T): string | T {
  const { client: own } = holderOf(request);
  if (own !== undefined && named !== undefined && named !== own)
    throw new Problem(403, "This API key belongs to another client: only an operator's key sees them all.");
  return own ?? named;
}

/**
 * As `holderOf`, for routes that belong to a client.
 * @param whose what the route is about, for people
 * @throws Problem 403 for an operator
 */
export function producerOf(request: FastifyRequest, whose = "events"): Producer {
  const holder = holderOf(request);
  if (holder.client !== undefined && "source" in holder) return holder as Producer; // both fields are there
  throw new Problem(
    403,
    `An operator's key belongs to no client: use a key of the client whose ${whose} these are.`,
  );
}

const sayable = <T>(find: () => Promise<T>): Promise<T> =>
  orUnavailable("API keys cannot be checked at the moment: try again shortly.", find);

function unauthorized(detail: string, challenge: string): Problem {
  return new Problem(401, detail, { headers: { "www-authenticate": challenge } });
}
