import { WorkerProcess } from "../actor/worker-process.ts";
import { connectNats, disconnect } from "../jetstream/connect.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { runService } from "../service/lifecycle.ts";
import { runSteps } from "./steps.fixture.ts";

// All steps as a process of their own, to be killed.

await runService({
  name: "steps",
  summary: "the steps of the pipeline, for tests of the proof.",
  variables: ["NATS_URL", "NATS_CREDS"],
  async start({ config, log, stopping, onClose, stuck }) {
    const nc = await connectNats("steps", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());
    const worker = new WorkerProcess({ service: "steps", level: config.LOG_LEVEL, log, onStuck: stuck });
    onClose("watchdog", () => worker.close());
    const runs = await runSteps([], { nc, publisher, worker, log, bundles: true });
    onClose("steps", () => Promise.all(runs.map((run) => run.stop())));
    log.info("ready");
    return "running";
  },
});
