import type { FastifyInstance } from "fastify";
import { Problem } from "../../internal/service/problem.ts";
import type { SampleReceiver } from "../../internal/webhooks/sample-receiver.ts";

/** Larger than the largest call: a MiB of events, plus a batch's data about each. */
const bodyLimit = 4 * 1024 * 1024;

/** The routes: its own state, and one for webhooks. */
export function addRoutes(app: FastifyInstance, receiver: SampleReceiver): void {
  // The signature covers the raw text.
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) =>
    done(null, body),
  );
  app.get("/", () => receiver.received);
  app.post<{ Params: { client: string }; Body: string }>(
    "/hooks/:client",
    { bodyLimit },
    async ({ params, body, headers }, reply) => {
      const texts = Object.entries(headers).map(([name, value]) => [name, String(value)]);
      if (!receiver.take(params.client, body, Object.fromEntries(texts)))
        throw new Problem(401, "The signature does not match this client's destination.");
      return reply.code(204).send();
    },
  );
}
