import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from "fastify";
import { isClient, isSource } from "../../casino/event.ts";
import { createKey, listKeys, revokeKey } from "../../clients/client-repository.ts";
import { holderOf } from "../../http/authentication.ts";
import { asUnavailable, type Database } from "../../postgres/connect.ts";
import { RegistrationError } from "../../registry/data-check.ts";
import { listTypes, registerType, removeType } from "../../registry/event-types.ts";
import type { Log } from "../../service/log.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import { isUnavailable } from "../../service/unavailable.ts";

const dayMs = 86_400_000;
const mostDays = 3_650;

/**
 * Keys and event types, for the dashboard. A client sees its own; only operators change any. Operators' keys are
 * created on the command line only, so that a stolen session cannot create itself a lasting key.
 */
export function addSetupRoutes(
  app: FastifyInstance,
  { db, log }: { readonly db: Database; readonly log: Log },
  behindKey: RouteShorthandOptions,
): void {
  const hidden = { ...behindKey, schema: { hide: true } };

  app.get("/dashboard/keys", hidden, async (request) => {
    const { client } = holderOf(request);
    const keys = await sayable(() => listKeys(db, client));
    return {
      keys: keys.map(({ prefix, client: client_id, source, createdAt, expiresAt, revokedAt }) => ({
        ...{ prefix, client_id, source },
        ...{ created_at: createdAt, expires_at: expiresAt, revoked_at: revokedAt },
      })),
    };
  });

  app.post("/dashboard/keys", hidden, async (request, reply) => {
    const by = operator(request);
    const { client_id, source, days } = Object(request.body) as Readonly<Record<string, unknown>>; // each is checked below
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
    const key = await sayable(() => createKey(db, { client: client_id, source }, expiresAt));
    if (key === undefined)
      throw new Problem(
        404,
        `There is no client "${client_id}": add it with \`npm run clients -- add\` first.`,
      );
    log.info({ by, client: client_id, source }, "made an API key from the dashboard");
    return reply.code(201).header("cache-control", "no-store").send({ key });
  });

  app.delete("/dashboard/keys/:prefix", hidden, async (request, reply) => {
    const by = operator(request);
    const { prefix } = request.params as { prefix: string }; // the router's type
    const found = await sayable(() => revokeKey(db, prefix));
    if (found !== 1)
      throw new Problem(404, found === 0 ? "There is no such key." : "Several keys have this prefix.");
    log.info({ by, prefix }, "revoked an API key from the dashboard");
    return reply.code(204).send();
  });

  app.get("/dashboard/event-types", hidden, async (request) => {
    const { client } = holderOf(request);
    const types = await sayable(() => listTypes(db));
    const seen = types.filter((one) => client === undefined || [undefined, client].includes(one.client));
    return {
      event_types: seen.map(({ type, client: client_id, schema, updatedAt }) => ({
        ...{ type, client_id: client_id ?? null, schema, updated_at: updatedAt },
      })),
    };
  });

  app.put("/dashboard/event-types/:type", hidden, async (request) => {
    const by = operator(request);
    const { type } = request.params as { type: string }; // the router's type
    const { client_id, schema } = Object(request.body) as Readonly<Record<string, unknown>>; // checked below and at registration
    if (client_id !== undefined && typeof client_id !== "string")
      throw new Problem(400, "client_id must be a text, or absent for all clients.");
    const outcome = await sayable(() => registerType(db, { type, client: client_id }, schema));
    log.info({ by, type, client: client_id }, `${outcome} an event type from the dashboard`);
    return { outcome };
  });

  app.delete("/dashboard/event-types/:type", hidden, async (request, reply) => {
    const by = operator(request);
    const { type } = request.params as { type: string }; // the router's type
    const { client_id } = request.query as { client_id?: unknown }; // checked below
    const client = typeof client_id === "string" ? client_id : undefined;
    if (!(await sayable(() => removeType(db, { type, client }))))
      throw new Problem(404, "There is no such event type.");
    log.info({ by, type, client }, "removed an event type from the dashboard");
    return reply.code(204).send();
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
    return await work();
  } catch (err) {
    if (err instanceof RegistrationError) throw new Problem(400, err.message, { cause: err });
    const cause = asUnavailable(err);
    if (!isUnavailable(cause)) throw err;
    throw unavailable("Postgres is away: try again shortly.", { cause });
  }
}
