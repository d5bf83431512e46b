import { WorkerProcess } from "../actor/worker-process.ts";
import { natsVariables, openNats } from "../jetstream/connect.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { runService } from "../service/lifecycle.ts";
import { runSteps } from "./steps.fixture.ts";

// All steps as a process of their own, to be killed.

await runService({
  name: "steps",
  summary: "the steps of the pipeline, for tests of the proof.",
  variables: natsVariables,
  async start(run) {
    const { name, config, log, onClose, stuck } = run;
    const nc = await openNats(run);
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());
    const worker = new WorkerProcess({ service: name, level: config.LOG_LEVEL, log, onStuck: stuck });
    onClose("watchdog", () => worker.close());
    const runs = await runSteps([], { nc, publisher, worker, log, bundles: true });
    onClose("steps", () => Promise.all(runs.map((run) => run.stop())));
    log.info("ready");
    return "running";
  },
});
