import { sampleRates } from "../../internal/local/sample-rates.ts";
import { buildHealth, httpVariables, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { serveMetrics } from "../../internal/telemetry/serve-metrics.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";

await runService({
  name: "rates",
  summary: "serves fixed sample exchange rates, for a first try without a network.",
  variables: httpVariables,
  port: 3009,
  async start({ name, config, log, onClose }) {
    const app = buildHealth({}, log);
    serveMetrics(app, serviceMetrics({ service: name, checks: {}, works: [], log }));
    app.get("/latest", () => sampleRates);
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
