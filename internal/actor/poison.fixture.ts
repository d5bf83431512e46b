import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeRaw } from "../casino/decode.ts";
import { natsVariables, openNats } from "../jetstream/connect.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { runService } from "../service/lifecycle.ts";
import { Unavailable } from "../service/unavailable.ts";
import { forward, later, type Step } from "./step.ts";
import { StepRun } from "./step-run.ts";
import { WorkerProcess } from "./worker-process.ts";

// A worker whose step does to its process what the id of an event says.

/** Deadly ids. */
const deeds: Readonly<Record<number, () => Promise<void> | void>> = {
  9001: () => void process.kill(process.pid, "SIGKILL"),
  9002: () => {
    for (;;);
  },
  9003: () => new Promise(() => undefined),
  9006: () => void execFileSync("sleep", ["10"]),
  9004: () => {
    for (const all: unknown[] = []; ; ) all.push(new Array(100_000).fill(all.length).map(String));
  },
};

await runService({
  name: "poisoned",
  summary: "a worker for tests of poison.",
  variables: natsVariables,
  flags: (program, reading) =>
    program
      .addOption(reading.option("--ack-wait <ms>", "of the mailbox", Number))
      .addOption(reading.option("--blocked <ms>", "of the watchdog", Number))
      .addOption(reading.option("--timeout <ms>", "of a step", Number))
      .option("--rates-away <file>", "while it is there, events from 5000 to 5999 come later")
      .option("--held <file>", "while it is there, the event 9005 is in hand")
      .option("--postgres-away <file>", "while it is there, nothing goes"),
  async start(run) {
    const { name, config, flags, log, onClose, stuck } = run;
    const nc = await openNats(run);
    const publisher = new Publisher(nc);
    onClose("publisher", () => publisher.close());
    const worker = new WorkerProcess({
      service: name,
      level: config.LOG_LEVEL,
      log,
      onStuck: stuck,
      blockedMs: flags.blocked ?? 1_000,
      stepTimeoutMs: flags.timeout ?? 1_000,
    });
    onClose("watchdog", () => worker.close());
    const enrich: Step["enrich"] = async (batch) => {
      if (existsSync(flags.postgresAway ?? "")) throw new Unavailable("Postgres is away");
      for (const { event } of batch) {
        await deeds[event.id]?.();
        if (event.id !== 9005) continue;
        log.info("holding");
        while (existsSync(flags.held ?? "")) await sleep(10);
      }
      const ratesAreAway = existsSync(flags.ratesAway ?? "");
      return batch.map(({ event }) =>
        ratesAreAway && event.id >= 5000 && event.id < 6000 ? later("rates are away") : forward(event),
      );
    };
    const step = await StepRun.start({
      step: { name: "test", forwardsTo: "tested", enrich },
      takesFrom: "raw",
      decode: (event) => decodeRaw(bytesOf(event)),
      nc,
      publisher,
      worker,
      replicas: 1,
      log,
      ackWaitMs: flags.ackWait ?? 2_000,
    });
    onClose("step", () => step.stop());
    log.info("ready");
    return "running";
  },
});
