import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Msg } from "nats";
import { expect, onTestFinished, test } from "vitest";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { rawStage, rawSubject } from "../../internal/messages/subjects.ts";
import { connectForTest, defaultLimits } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";

const nats = await natsForTest();
const { nc } = await connectForTest(nats);
await ensureStreams(nc, [rawStage], defaultLimits);

/** Answers each raw event with a final one, except during a stall. */
function pipelineThatStalls(fromId: number, forMs: number): { readonly stalledFor: () => number } {
  const held: Msg[] = [];
  let isStalling = false;
  let stalledFor = 0;
  const finish = (msg: Msg) =>
    nc.publish("casino.event.final.casino.bet", msg.data, msg.headers ? { headers: msg.headers } : {});
  const subscription = nc.subscribe(rawSubject("casino"), {
    callback: (_err, msg) => {
      if (msg.json<{ id: number }>().id === fromId) {
        isStalling = true;
        const since = performance.now();
        setTimeout(() => {
          isStalling = false;
          stalledFor = performance.now() - since;
          for (const late of held.splice(0)) finish(late);
        }, forMs);
      }
      if (isStalling) held.push(msg);
      else finish(msg);
    },
  });
  onTestFinished(() => subscription.unsubscribe());
  return { stalledFor: () => stalledFor };
}

async function run(env: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "steady.ts")], {
    env: { PATH: process.env.PATH, NATS_URL: nats.url, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.once("close", resolve));
  return JSON.parse(output) as Record<"p50" | "p99" | "worst" | "events" | "missing", number>; // what steady.ts writes
}

test("a stall is in the times of all events that were due while it lasted, not of one", async () => {
  const { stalledFor } = pipelineThatStalls(700, 400);
  const load = await run({ RATE: "500", SECONDS: "2", WARM_UP: "0.2", PATIENCE: "30", SOURCE: "stall" });
  expect(load).toMatchObject({ events: 1_000, missing: 0 });
  // 400 ms of 2 s: a fifth of the events are late by up to the stall, so the 99th percentile is nearly all of it.
  expect(load.p99).toBeGreaterThan(stalledFor() * 0.8);
  expect(load.worst).toBeGreaterThanOrEqual(stalledFor() * 0.95);
  expect(load.p50).toBeLessThan(stalledFor());
});

test("events that never arrive are said to be missing", async () => {
  const load = await run({ RATE: "500", SECONDS: "0.2", WARM_UP: "0", PATIENCE: "0.5", SOURCE: "silence" });
  expect(load).toMatchObject({ events: 0, missing: 100 });
});
