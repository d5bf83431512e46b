import { setTimeout as sleep } from "node:timers/promises";
import { generatorFlags } from "../../internal/generator/flags.ts";
import { generate } from "../../internal/generator/generate.ts";
import { connectNats, disconnect } from "../../internal/jetstream/connect.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { rawStage } from "../../internal/jetstream/subjects.ts";
import { ensureStreams, streamVariables } from "../../internal/jetstream/topology.ts";
import { runService } from "../../internal/lifecycle.ts";

/** How long the answers for what was published may take once it is to stop. */
const farewellMs = 2_000;

await runService({
  name: "generator",
  summary: "publishes random casino events.",
  variables: ["NATS_URL", "NATS_CREDS", ...streamVariables],
  flags: generatorFlags,
  async start({ config, flags, log, stopping, onClose }) {
    const nc = await connectNats("generator", config, log, stopping);
    onClose("NATS", () => disconnect(nc));
    await ensureStreams(nc, [rawStage], config);
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());
    const generating = generate({ publisher, log, signal: stopping, ...flags });
    onClose("events on their way", () => Promise.race([generating, sleep(farewellMs)]));
    await generating;
    return "done";
  },
});
