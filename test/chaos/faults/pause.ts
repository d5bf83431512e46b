import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, seconds } from "./fault.ts";

/**
 * SIGSTOP for longer than ack_wait: the broker delivers the process's messages to others, and then the process continues with
 * them. Meanwhile the broker disconnects a slow consumer, and clients of the process give up.
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
