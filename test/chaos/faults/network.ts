import { setTimeout as sleep } from "node:timers/promises";
import type { TcpProxy } from "../../harness/tcp-proxy.ts";
import type { Backend } from "../stack.ts";
import { type Fault, seconds } from "./fault.ts";

const backends: readonly Backend[] = ["nats", "postgres", "redis"];

/** Harms the given lines to a server for a while, then repairs them. */
async function during(
  lines: readonly TcpProxy[],
  ms: number,
  harm: (line: TcpProxy) => void,
  repair = (line: TcpProxy) => line.restore(),
): Promise<void> {
  if (lines.length === 0) throw new Error("there are no lines to harm");
  for (const line of lines) harm(line);
  await sleep(ms);
  await Promise.all(lines.map(repair));
}

const cuts = backends.map(
  (to): Fault => ({
    name: `cut-${to}`,
    what: `all connections to ${to} are reset, twice, and refused for a while`,
    topology: "single",
    inject: async ({ stack, between }) => {
      const lines = stack.proxies(to);
      await during(lines, between(100, 2_000), (line) => line.reset());
      const ms = between(1_000, 6_000);
      await during(lines, ms, (line) => line.cut());
      return `refused for ${seconds(ms)}`;
    },
  }),
);

const stalls = backends.map(
  (to): Fault => ({
    name: `stall-${to}`,
    what: `nothing passes to or from ${to}, without an error`,
    topology: "single",
    inject: async ({ stack, between }) => {
      const ms = between(6_000, 25_000);
      await during(stack.proxies(to), ms, (line) => line.stall());
      return `silent for ${seconds(ms)}`;
    },
  }),
);

const delays = backends.map(
  (to): Fault => ({
    name: `slow-${to}`,
    what: `each packet to and from ${to} takes 20 to 150 ms longer`,
    topology: "single",
    inject: async ({ stack, between }) => {
      const [latency, ms] = [between(20, 150), between(5_000, 10_000)];
      await during(stack.proxies(to), ms, (line) => line.delay(latency));
      return `${latency} ms more each way for ${seconds(ms)}`;
    },
  }),
);

/** One enricher loses NATS without an error, and the other one gets what it holds. */
const isolate: Fault = {
  name: "isolate-enricher",
  what: "one enricher's line to NATS passes nothing for longer than ack_wait; the other works on",
  topology: "single",
  inject: async ({ stack, pick, pauseMs }) => {
    const victim = pick(["enricher-1", "enricher-2"]);
    const lines = stack.links
      .filter(({ from, to }) => from === victim && to === "nats")
      .map(({ proxy }) => proxy);
    await during(lines, pauseMs, (line) => line.stall());
    return `${victim} alone for ${seconds(pauseMs)}`;
  },
};

export const networkFaults: readonly Fault[] = [...cuts, ...stalls, ...delays, isolate];
