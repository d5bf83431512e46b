import { openPostgres } from "../../internal/postgres/connect.ts";
import { buildHealth, httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { serveMetrics } from "../../internal/telemetry/serve-metrics.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";
import { SampleReceiver } from "../../internal/webhooks/sample-receiver.ts";
import { openWebhooks, webhookVariables } from "../../internal/webhooks/webhooks.ts";
import { receiverFlags } from "./flags.ts";
import { addRoutes } from "./routes.ts";

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
