import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, seconds } from "./fault.ts";

/**
 * SIGSTOP for longer than ack_wait: the broker gives what the process holds to others, and then it wakes up, still
 * believing that it holds it. Who reads without acknowledging is cut off meanwhile, and who sent it something has given up.
 */
function pause(name: string, victims: readonly string[]): Fault {
  return {
    name: `pause-${name}`,
    what: `SIGSTOP the ${name} for longer than ack_wait, then SIGCONT`,
    topology: "single",
    inject: async ({ stack, pick, pauseMs }) => {
      const victim = stack.service(pick(victims));
      victim.pause();
      await sleep(pauseMs);
      victim.resume();
      return `${victim.name} slept for ${seconds(pauseMs)}`;
    },
  };
}

export const pauses: readonly Fault[] = [
  pause("enricher", ["enricher-1", "enricher-2"]),
  pause("archiver", ["archiver"]),
  pause("materializer", ["materializer"]),
  pause("gateway", ["gateway"]),
];
