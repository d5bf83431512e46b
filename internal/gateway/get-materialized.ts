import type { FastifyReply, FastifyRequest } from "fastify";
import type { Msg, NatsConnection } from "nats";
import { materializedSubject } from "../jetstream/subjects.ts";
import { Problem, unavailable } from "../problem.ts";

const timeoutMs = 2_000;

/** The handler of `GET /materialized`: asks a materializer through NATS, whichever answers first. */
export function getMaterialized(nc: NatsConnection) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Buffer> => {
    const answer = await ask(nc, JSON.stringify(request.query));
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
    return await nc.request(materializedSubject, parameters, { timeout: timeoutMs });
  } catch (cause) {
    throw unavailable("No materializer answers at the moment: try again shortly.", { cause });
  }
}
