import type { FastifyInstance, FastifyRequest } from "fastify";
import {
  endSession,
  type OpenSession,
  openSession,
  redeemCode,
  sessionLifeMs,
} from "../../clients/sessions.ts";
import {
  holderOf,
  type Keys,
  keyIn,
  requireOwnPage,
  sessionCookie,
  sessionTokenOf,
} from "../../http/authentication.ts";
import { BodyBudget } from "../../http/body-budget.ts";
import { bodyOf, bufferBodies, jsonOf } from "../../http/buffered-body.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import type { RouteContext } from "../../http/route-context.ts";
import type { Database } from "../../postgres/connect.ts";
import type { Log } from "../../service/log.ts";
import { orUnavailable, Problem } from "../../service/problem.ts";

interface SignInOptions {
  readonly keys: Keys;
  /** Where sessions are kept. */
  readonly db: Database;
  readonly log: Log;
}

/** A code or a key, and what JSON needs around it. */
const maxBytes = 1_024;
/** Bodies in progress of people who have no key yet: apart from those of clients, which they must not displace. */
const mostBodies = { bodies: 200, bodiesOfOwner: 200, bodiesOfAddress: 20 };
/** Sign-ins at once, of all and of one address: each costs a transaction. */
const atOnce = { all: 4, ofOwner: 2, what: "sign in" };

/**
 * Signing in and out. A code, which works once, or an API key becomes a cookie that no script can read and that no
 * other site can make a browser send.
 */
export async function addSignIn(
  app: FastifyInstance,
  { keys, db, log }: SignInOptions,
  context: Pick<RouteContext, "behindKey" | "limits" | "stopping">,
): Promise<void> {
  const { behindKey } = context;
  const hidden = { schema: { hide: true } };
  const limit = new ConcurrencyLimit(atOnce);

  await app.register(async (scope) => {
    const bodies = new BodyBudget(mostBodies);
    bufferBodies(scope, { ...context, bodies }, { maxBytes, whenTooLarge: "a code or a key is short" });
    // Before the body is read.
    const preParsing = async (request: FastifyRequest) => requireOwnPage(request);
    scope.post("/dashboard/session", { ...hidden, preParsing }, async (request, reply) => {
      const opened = await limit.run(request.ip, () => open(request));
      log.info(
        { client: opened.client, from: request.ip, request_id: request.id },
        "signed in to the dashboard",
      );
      return reply
        .header("set-cookie", cookie(request, opened.token, sessionLifeMs))
        .send(roleOf(opened.client ?? undefined));
    });
  });
  app.get("/dashboard/session", { ...behindKey, ...hidden }, (request) => roleOf(holderOf(request).client));
  app.delete("/dashboard/session", { ...behindKey, ...hidden }, async (request, reply) => {
    const token = sessionTokenOf(request);
    if (token !== undefined) await sayable(() => endSession(db, token));
    return reply
      .header("set-cookie", cookie(request, "", 0))
      .code(204)
      .send();
  });

  async function open(request: FastifyRequest): Promise<OpenSession> {
    const { code, key } = jsonOf(bodyOf(request));
    if (typeof code === "string") {
      const opened = await sayable(() => redeemCode(db, code));
      if (opened !== undefined) return opened;
      throw new Problem(
        401,
        "This link was already used, or is older than ten minutes: make another with `npm run clients -- sign-in`.",
      );
    }
    if (typeof key !== "string") throw new Problem(400, "The body must have a `code` or a `key`.");
    const known = await keyIn(keys, key, request.ip);
    return sayable(() => openSession(db, known));
  }
}

const roleOf = (client: string | undefined) =>
  client === undefined ? { role: "operator", client_id: null } : { role: "client", client_id: client };

/** Strict: no other site's page can make a browser send it, not even by a link. Secure where a proxy reports HTTPS. */
function cookie(request: FastifyRequest, token: string, lifeMs: number): string {
  const isSecure = request.headers["x-forwarded-proto"] === "https";
  return `${sessionCookie}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${lifeMs / 1_000}${isSecure ? "; Secure" : ""}`;
}

const sayable = <T>(work: () => Promise<T>): Promise<T> =>
  orUnavailable("Nobody can sign in or out while Postgres is away: try again shortly.", work);
