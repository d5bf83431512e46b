import type { FastifyReply, FastifyRequest } from "fastify";
import type { Msg, NatsConnection } from "nats";
import { clientFor } from "../../http/authentication.ts";
import { queryOf } from "../../http/parameters.ts";
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
    const query = queryOf(request);
    const client_id = figures === "public" ? query.client_id : clientFor(request, query.client_id);
    const answer = await ask(nc, JSON.stringify({ ...query, client_id }));
    const code = answer.headers?.get("Nats-Service-Error-Code");
    if (code === "400")
      throw new Problem(400, answer.headers?.get("Nats-Service-Error") ?? "A parameter is wrong.");
    if (code) throw unavailable("The materializer failed on this request.");
    // The figures change with every event and every second.
    reply.header("cache-control", "no-store").type("application/json; charset=utf-8");
    return Buffer.from(answer.data);
  };
}

async function ask(nc: NatsConnection, parameters: string): Promise<Msg> {
  try {
    const reply = questionInbox(nc);
    return await nc.request(materializedSubject, parameters, { timeout: timeoutMs, noMux: true, reply });
  } catch (cause) {
    throw unavailable("No materializer answers at the moment: try again shortly.", { cause });
  }
}
