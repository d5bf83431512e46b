import type { FastifyInstance, FastifyRequest } from "fastify";
import { isClient, isSource } from "../../casino/event.ts";
import { createKey, listKeys, revokeKey } from "../../clients/client-repository.ts";
import { holderOf, ownerOf } from "../../http/authentication.ts";
import { bodyOf, bufferBodies, jsonOf } from "../../http/buffered-body.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import type { RouteContext } from "../../http/route-context.ts";
import { asking, type Database } from "../../postgres/connect.ts";
import { RegistrationError } from "../../registry/data-check.ts";
import { listTypes, registerType, removeType } from "../../registry/event-types.ts";
import type { Log } from "../../service/log.ts";
import { orUnavailable, Problem } from "../../service/problem.ts";

const dayMs = 86_400_000;
const mostDays = 3_650;

/**
 * Keys and event types, for the dashboard. A client sees its own; only operators change any. Operators' keys are
 * created on the command line only, so that a stolen session cannot create itself a lasting key.
 */
export async function addSetupRoutes(
  app: FastifyInstance,
  { db, log }: { readonly db: Database; readonly log: Log },
  context: Pick<RouteContext, "behindKey" | "bodies" | "limits" | "stopping">,
): Promise<void> {
  const hidden = { ...context.behindKey, schema: { hide: true } };
  // Before the body is read.
  const forOperators = { ...hidden, preParsing: async (request: FastifyRequest) => void operator(request) };
  // One of the two connections stays free for readiness, signing in and the types in use.
  const limit = new ConcurrencyLimit({ all: 1, ofOwner: 1, what: "look at keys and event types" });
  const ask = <T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> =>
    limit.run(ownerOf(holderOf(request)), () => sayable(work));

  await app.register(async (scope) => {
    bufferBodies(scope, context, { maxBytes: 128 * 1024, whenTooLarge: "no schema needs that much" });
    scope.get("/dashboard/keys", hidden, async (request) => {
      const { client } = holderOf(request);
      const keys = await ask(request, () => listKeys(db, client));
      return {
        keys: keys.map(({ prefix, client: client_id, source, createdAt, expiresAt, revokedAt }) => ({
          ...{ prefix, client_id, source },
          ...{ created_at: createdAt, expires_at: expiresAt, revoked_at: revokedAt },
        })),
      };
    });
    scope.post("/dashboard/keys", forOperators, async (request, reply) => {
      const by = operator(request);
      const { client_id, source, days } = jsonOf(bodyOf(request));
      if (typeof client_id !== "string" || !isClient(client_id))
        throw new Problem(400, "client_id must be of the form [a-z0-9-]{1,40}.");
      if (typeof source !== "string" || !isSource(source))
        throw new Problem(400, "source must be of the form [A-Za-z0-9._-]{1,64}.");
      if (days !== undefined && !(Number.isInteger(days) && Number(days) >= 1 && Number(days) <= mostDays))
        throw new Problem(
          400,
          `days must be an integer from 1 to ${mostDays}, or absent for a key that does not expire.`,
        );
      const expiresAt = days === undefined ? null : new Date(Date.now() + Number(days) * dayMs);
      const key = await ask(request, () => createKey(db, { client: client_id, source }, expiresAt));
      if (key === undefined)
        throw new Problem(
          404,
          `There is no client "${client_id}": add it with \`npm run clients -- add\` first.`,
        );
      log.info({ by, client: client_id, source }, "made an API key from the dashboard");
      return reply.code(201).header("cache-control", "no-store").send({ key });
    });

    scope.delete("/dashboard/keys/:prefix", forOperators, async (request, reply) => {
      const by = operator(request);
      const { prefix } = request.params as { prefix: string }; // the router's type
      const found = await ask(request, () => revokeKey(db, prefix));
      if (found !== 1)
        throw new Problem(404, found === 0 ? "There is no such key." : "Several keys have this prefix.");
      log.info({ by, prefix }, "revoked an API key from the dashboard");
      return reply.code(204).send();
    });

    scope.get("/dashboard/event-types", hidden, async (request) => {
      const { client } = holderOf(request);
      const seen = await ask(request, () => listTypes(db, client));
      return {
        event_types: seen.map(({ type, client: client_id, schema, updatedAt }) => ({
          ...{ type, client_id: client_id ?? null, schema, updated_at: updatedAt },
        })),
      };
    });

    scope.put("/dashboard/event-types/:type", forOperators, async (request) => {
      const by = operator(request);
      const { type } = request.params as { type: string }; // the router's type
      const { client_id, schema } = jsonOf(bodyOf(request));
      if (client_id !== undefined && typeof client_id !== "string")
        throw new Problem(400, "client_id must be a text, or absent for all clients.");
      const outcome = await ask(request, () => registerType(db, { type, client: client_id }, schema));
      log.info({ by, type, client: client_id }, `${outcome} an event type from the dashboard`);
      return { outcome };
    });

    scope.delete("/dashboard/event-types/:type", forOperators, async (request, reply) => {
      const by = operator(request);
      const { type } = request.params as { type: string }; // the router's type
      const { client_id } = request.query as { client_id?: unknown }; // checked below
      const client = typeof client_id === "string" ? client_id : undefined;
      if (!(await ask(request, () => removeType(db, { type, client }))))
        throw new Problem(404, "There is no such event type.");
      log.info({ by, type, client }, "removed an event type from the dashboard");
      return reply.code(204).send();
    });
  });
}

/** Who it is, for the log. @throws Problem 403 unless it is an operator */
function operator(request: FastifyRequest): string {
  const { client, keyId } = holderOf(request);
  if (client === undefined) return `key ${keyId}`;
  throw new Problem(403, "Only an operator may change keys and event types.");
}

async function sayable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await orUnavailable("Postgres is away: try again shortly.", () => asking(undefined, work));
  } catch (err) {
    throw err instanceof RegistrationError ? new Problem(400, err.message, { cause: err }) : err;
  }
}
