import { buildHealth, listen } from "../../internal/health.ts";
import { runService } from "../../internal/lifecycle.ts";
import { sampleRates } from "../../internal/local/sample-rates.ts";

await runService({
  name: "rates",
  summary: "answers a fixed sample of exchange rates, for trying things out without a network.",
  variables: ["HTTP_PORT", "HTTP_HOST"],
  port: 3009,
  async start({ config, log, onClose }) {
    const app = buildHealth({}, log);
    app.get("/latest", () => sampleRates);
    onClose("HTTP", () => app.close());
    log.info({ http: await listen(app, config) }, "ready");
    return "running";
  },
});
