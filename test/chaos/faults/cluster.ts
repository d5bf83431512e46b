import { setTimeout as sleep } from "node:timers/promises";
import type { TestServer } from "../../harness/restartable.ts";
import { waitFor } from "../../harness/wait-for.ts";
import type { ChaosStack } from "../stack.ts";
import { type Fault, seconds } from "./fault.ts";

const streams = ["CASINO_RAW", "CASINO_PRICED", "CASINO_PROFILED", "CASINO_EVENTS"];

/** The node that leads a stream now. */
async function leaderOf(stack: ChaosStack, stream: string): Promise<TestServer> {
  const name = await waitFor(async () => (await stack.jsm.streams.info(stream)).cluster?.leader, {
    timeout: 60_000,
    what: `a leader of ${stream}`,
  });
  const node = stack.brokers[Number(name.slice(1)) - 1];
  if (node === undefined) throw new Error(`there is no node ${name}`);
  return node;
}

/** Resolves when every stream has a leader and all its replicas have caught up. */
async function settled(stack: ChaosStack): Promise<void> {
  const isWhole = async (stream: string): Promise<boolean> => {
    const { cluster } = await stack.jsm.streams.info(stream);
    const replicas = cluster?.replicas ?? [];
    return cluster?.leader !== undefined && replicas.length === 2 && replicas.every(({ current }) => current);
  };
  await waitFor(async () => (await Promise.all(streams.map(isWhole))).every(Boolean), {
    timeout: 120_000,
    interval: 200,
    what: "all replicas to be current",
  });
}

const killLeader: Fault = {
  name: "cluster-kill-leader",
  what: "kill -9 the leader of each of the four streams in turn, and start it again",
  topology: "cluster",
  inject: async ({ stack, killer, between }) => {
    for (const stream of streams) {
      const leader = await leaderOf(stack, stream);
      await killer.kill(leader);
      await sleep(between(1_000, 5_000));
      await leader.start();
      await settled(stack);
    }
    return `killed the leaders of ${streams.length} streams`;
  },
};

const pauseLeader: Fault = {
  name: "cluster-pause-leader",
  what: "SIGSTOP the leader of CASINO_RAW until the others have elected a new one, then SIGCONT",
  topology: "cluster",
  inject: async ({ stack, between }) => {
    const leader = await leaderOf(stack, "CASINO_RAW");
    const ms = between(12_000, 20_000);
    process.kill(leader.pid, "SIGSTOP");
    await sleep(ms);
    process.kill(leader.pid, "SIGCONT");
    return `asleep for ${seconds(ms)}`;
  },
};

const majorityLoss: Fault = {
  name: "cluster-majority-loss",
  what: "kill -9 two of three nodes; nothing can be accepted until one is back",
  topology: "cluster",
  inject: async ({ stack, killer, pick, between }) => {
    const survivor = pick(stack.brokers);
    const victims = stack.brokers.filter((node) => node !== survivor);
    await killer.kill(...victims);
    const ms = between(4_000, 10_000);
    await sleep(ms);
    await Promise.all(victims.map((node) => node.start()));
    return `no majority for ${seconds(ms)}`;
  },
};

const totalLoss: Fault = {
  name: "cluster-total-loss",
  what: "kill -9 all three nodes at once, and start them one after the other",
  topology: "cluster",
  inject: async ({ stack, killer, between }) => {
    await killer.kill(...stack.brokers);
    for (const node of stack.brokers) {
      await sleep(between(500, 2_000));
      await node.start();
    }
    return "all three killed";
  },
};

export const clusterFaults: readonly Fault[] = [killLeader, pauseLeader, majorityLoss, totalLoss];
