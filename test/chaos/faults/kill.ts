import { setTimeout as sleep } from "node:timers/promises";
import type { TestServer } from "../../harness/restartable.ts";
import type { Killer } from "../killer.ts";
import type { ChaosStack } from "../stack.ts";
import { type Fault, type FaultContext, seconds } from "./fault.ts";

/** kill -9 of services, which are restarted. */
function killService(name: string, victims: readonly string[]): Fault {
  return {
    name: `kill-${name}`,
    what: `kill -9 the ${name}, one to three times`,
    topology: "single",
    inject: async ({ stack, killer, between, pick }) => {
      const times = between(1, 3);
      const killed: string[] = [];
      for (let time = 1; time <= times; time++) {
        const victim = stack.service(pick(victims));
        await killer.kill(victim);
        killed.push(victim.name);
        if (time < times) await sleep(between(500, 4_000));
      }
      const counts = Map.groupBy(killed, (victim) => victim);
      const names = [...counts].map(([victim, { length }]) =>
        length === 1 ? victim : `${victim} ${length} times`,
      );
      return `killed ${names.join(", ")}`;
    },
  };
}

/** kill -9 of a server, which is restarted after `ms`. */
async function killFor(killer: Killer, server: TestServer, ms: number): Promise<string> {
  await killer.kill(server);
  await sleep(ms);
  await server.start();
  return `away for ${seconds(ms)}`;
}

function killServer(name: string, of: (stack: ChaosStack) => TestServer | undefined): Fault {
  return {
    name: `kill-${name}`,
    what: `kill -9 ${name}, and start it again after up to six seconds`,
    topology: "single",
    inject: ({ stack, killer, between }) => killFor(killer, server(of(stack)), between(200, 6_000)),
  };
}

function outage(name: string, of: (stack: ChaosStack) => TestServer): Fault {
  return {
    name: `${name}-away`,
    what: `${name} is stopped for --outage-minutes`,
    topology: "single",
    inject: async ({ stack, outageMs }: FaultContext) => {
      await of(stack).stop();
      await sleep(outageMs);
      await of(stack).start();
      return `away for ${seconds(outageMs)}`;
    },
  };
}

function server(found: TestServer | undefined): TestServer {
  if (found === undefined) throw new Error("there is no such server");
  return found;
}

export const kills: readonly Fault[] = [
  killService("enricher", ["enricher-1", "enricher-2"]),
  killService("gateway", ["gateway"]),
  killService("materializer", ["materializer"]),
  killService("logger", ["logger"]),
  killService("archiver", ["archiver"]),
  killServer("nats", ({ brokers }) => brokers[0]),
  killServer("postgres", ({ postgres }) => postgres),
  killServer("redis", ({ redis }) => redis),
];

export const outages: readonly Fault[] = [
  outage("postgres", ({ postgres }) => postgres),
  outage("redis", ({ redis }) => redis),
];
