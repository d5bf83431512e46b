import type { FastifyInstance } from "fastify";
import { openPostgres } from "../../internal/postgres/connect.ts";
import { buildHealth, httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { Problem } from "../../internal/service/problem.ts";
import { serveMetrics } from "../../internal/telemetry/serve-metrics.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";
import { SampleReceiver } from "../../internal/webhooks/sample-receiver.ts";
import { openWebhooks, webhookVariables } from "../../internal/webhooks/webhooks.ts";
import { receiverFlags } from "./flags.ts";

/** Larger than the largest call: a MiB of events, plus a batch's data about each. */
const bodyLimit = 4 * 1024 * 1024;

/** The routes: its own state, and one for webhooks. */
function addRoutes(app: FastifyInstance, receiver: SampleReceiver): void {
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

await runService({
  name: "receiver",
  summary:
    "receives clients' webhooks on this machine and verifies them, for a first try; it creates their destinations itself.",
  variables: ["DATABASE_URL", ...webhookVariables, ...httpVariables],
  flags: receiverFlags,
  port: 3006,
  usesRunningUp: true,
  check: ({ DELIVERY_KEY }) =>
    DELIVERY_KEY === undefined ? { DELIVERY_KEY: "be set, the same as for senders and gateways" } : {},
  async start(run) {
    const { config, flags, log, onClose } = run;
    const { clients = ["casino"] } = flags;
    const webhooks = openWebhooks(run, openPostgres(run, { max: 1 }));
    const receiver = new SampleReceiver();
    const app = buildHealth({}, log);
    addRoutes(app, receiver);
    serveMetrics(app, serviceMetrics({ service: "receiver", checks: {}, works: [], log }));
    onClose("HTTP", () => app.close());
    const http = await listen(app, config);
    if (webhooks !== undefined) await receiver.subscribe(webhooks.destinations, clients, http);
    log.info(
      { http, clients },
      "ready: the clients' events are sent here, and wait for it once it has stopped",
    );
    return "running";
  },
});
