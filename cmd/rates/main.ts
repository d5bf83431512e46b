import { sampleRates } from "../../internal/local/sample-rates.ts";
import { buildHealth, listen } from "../../internal/service/health.ts";
import { runService } from "../../internal/service/lifecycle.ts";
import { serveMetrics } from "../../internal/telemetry/serve-metrics.ts";
import { serviceMetrics } from "../../internal/telemetry/service-metrics.ts";

await runService({
  name: "rates",
  summary: "serves fixed sample exchange rates, for a first try without a network.",
  variables: ["HTTP_PORT", "HTTP_HOST"],
  port: 3009,
  async start({ config, log, onClose }) {
    const app = buildHealth({}, log);
    serveMetrics(app, serviceMetrics({ service: "rates", checks: {}, works: [], log }));
    app.get("/latest", () => sampleRates);
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
