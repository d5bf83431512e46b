import type { FastifyReply, FastifyRequest } from "fastify";
import type { Msg, NatsConnection } from "nats";
import { holderOf } from "../../http/authentication.ts";
import { questionInbox } from "../../jetstream/inbox.ts";
import { materializedSubject } from "../../messages/subjects.ts";
import { Problem, unavailable } from "../../service/problem.ts";

/** Who may ask for the aggregates over HTTP: everybody, or holders of a key. */
export type Figures = "public" | "keys";

const timeoutMs = 2_000;

/**
 * The handler of `GET /materialized`: asks over NATS and takes the first materializer's answer.
 * @param figures with `keys` a client's key sees only its own figures; put the route behind `requireKey` then
 */
export function getMaterialized(nc: NatsConnection, figures: Figures) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Buffer> => {
    const query = request.query as Readonly<Record<string, unknown>>; // the query parser's type
    const answer = await ask(nc, JSON.stringify(figures === "public" ? query : ownOnly(query, request)));
    const code = answer.headers?.get("Nats-Service-Error-Code");
    if (code === "400")
      throw new Problem(400, answer.headers?.get("Nats-Service-Error") ?? "A parameter is wrong.");
    if (code) throw unavailable("The materializer failed on this request.");
    // The figures change with every event and every second.
    reply.header("cache-control", "no-store").type("application/json; charset=utf-8");
    return Buffer.from(answer.data);
  };
}

/** The parameters, restricted to the key's client. @throws Problem 403 when they name another */
function ownOnly(query: Readonly<Record<string, unknown>>, request: FastifyRequest) {
  const { client } = holderOf(request);
  if (client === undefined) return query;
  if (query.client_id !== undefined && query.client_id !== client)
    throw new Problem(403, "This API key sees the figures of its own client only: leave client_id out.");
  return { ...query, client_id: client };
}

async function ask(nc: NatsConnection, parameters: string): Promise<Msg> {
  try {
    const reply = questionInbox(nc);
    return await nc.request(materializedSubject, parameters, { timeout: timeoutMs, noMux: true, reply });
  } catch (cause) {
    throw unavailable("No materializer answers at the moment: try again shortly.", { cause });
  }
}
