import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError } from "@nats-io/jetstream";
import { waitFor } from "../../harness/wait-for.ts";
import { fillSmallDisk, freeSmallDisk } from "../small-disk.ts";
import { type Fault, seconds } from "./fault.ts";

const enrichers = ["enricher-1", "enricher-2"];

/** Resolves once a producer is refused. @throws Error if none is within a minute */
async function untilRefused(refused: () => number, what: string): Promise<void> {
  const before = refused();
  await waitFor(() => refused() > before, { timeout: 60_000, what: `producers to be refused: ${what}` });
}

const raw: Fault = {
  name: "fill-raw",
  what: "both enrichers are paused under a flood of events until CASINO_RAW is full and refuses producers",
  topology: "single",
  inject: async ({ stack, load, ledger, between }) => {
    for (const name of enrichers) stack.service(name).pause();
    load.flood(true);
    try {
      await untilRefused(() => ledger.traffic.refused, "CASINO_RAW is to be full");
      await sleep(between(1_000, 4_000));
      const { state, config } = await stack.jsm.streams.info("CASINO_RAW");
      return `full with ${state.messages} messages, ${state.bytes} of ${config.max_bytes} bytes`;
    } finally {
      load.flood(false);
      for (const name of enrichers) stack.service(name).resume();
    }
  },
};

const filler = "CHAOS_FILLER";
const fillerPayload = new Uint8Array(900 * 1024);

const quota: Fault = {
  name: "fill-quota",
  what: "another stream fills the server's disk quota (max_file_store), and is removed again",
  topology: "single",
  inject: async ({ stack, ledger, between }) => {
    const js = stack.jsm.jetstream();
    await stack.jsm.streams.add({ name: filler, subjects: ["chaos.filler"] });
    let written = 0;
    try {
      for (let full = false; !full; ) {
        const answers = await Promise.allSettled(
          Array.from({ length: 16 }, () => js.publish("chaos.filler", fillerPayload)),
        );
        written += answers.filter(({ status }) => status === "fulfilled").length;
        for (const answer of answers) {
          if (answer.status === "fulfilled") continue;
          if (!(answer.reason instanceof JetStreamApiError)) throw answer.reason;
          full = true;
        }
      }
      await untilRefused(() => ledger.traffic.refused, "the quota is used up");
      await sleep(between(2_000, 6_000));
    } finally {
      await stack.jsm.streams.delete(filler);
    }
    return `${Math.round((written * fillerPayload.length) / 2 ** 20)} MiB of another stream`;
  },
};

const disk: Fault = {
  name: "fill-disk",
  what: "the disk under NATS is full to the last byte; then space is freed and NATS restarted",
  topology: "small-disk",
  inject: async ({ stack, ledger, between }) => {
    const [broker] = stack.brokers;
    if (broker === undefined || stack.smallDisk === undefined) throw new Error("there is no small disk");
    await fillSmallDisk(stack.smallDisk);
    await untilRefused(() => ledger.traffic.refused, "the disk is full");
    const ms = between(2_000, 6_000);
    await sleep(ms);
    await freeSmallDisk(stack.smallDisk);
    // A server that could not write has disabled JetStream, and asks for a restart.
    await broker.stop();
    await broker.start();
    return `full for ${seconds(ms)}`;
  },
};

export const fills: readonly Fault[] = [raw, quota, disk];
