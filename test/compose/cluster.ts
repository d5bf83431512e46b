import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { waitFor } from "../harness/wait-for.ts";
import { addClient, healthy, proved, settled } from "./account.ts";
import type { Project } from "./project.ts";
import { check } from "./report.ts";
import { Sender } from "./sender.ts";

const client = "check-casino";

/** Three NATS nodes: any one of them may die under load. */
export async function checkCluster(project: Project): Promise<void> {
  await check("three NATS nodes come up, and all that is stored has three replicas", async () => {
    // Without the generator: `prove` wants a system that comes to rest.
    await project.compose("up", "--wait", "--scale", "generator=0");
    const streams = await streamsOf(project);
    assert.ok(streams.length >= 6, streams.map(({ name }) => name).join());
    for (const { name, replicas } of streams) assert.equal(replicas, 3, name);
    return `${streams.length} streams`;
  });
  const sender = new Sender(project.gateway, await addClient(project, client));
  // The one that is published last, because it is asked who leads.
  for (const node of ["nats-2", "nats-3", "nats"]) {
    await check(`${node} is killed under load: nothing lost, nothing doubled`, async () => {
      const led = (await streamsOf(project)).filter(
        ({ leader }) => leader === (node === "nats" ? "nats-1" : node),
      );
      await sender.during(async () => {
        await project.compose("kill", node);
        // Events go through while it is away.
        const before = sender.sent;
        await waitFor(() => sender.sent > before + 500, { timeout: 60_000, what: "events without the node" });
        await project.compose("start", node);
        await healthy(project, node);
      });
      await settled(project, client, sender.sent);
      await waitFor(async () => (await streamsOf(project)).every(({ current }) => current), {
        timeout: 60_000,
        interval: 500,
        what: "all replicas current",
      });
      return `it led ${led.map(({ name }) => name).join(", ") || "none"}; ${sender.sent} events`;
    });
  }
  await check("npm run prove accounts for everything", () => proved(project));
}

interface Stream {
  readonly name: string;
  readonly replicas: number;
  readonly leader: string | undefined;
  readonly current: boolean;
}

async function streamsOf(project: Project): Promise<readonly Stream[]> {
  const operator = { user: "operator", pass: "operator" };
  const connection = await connect({
    servers: `127.0.0.1:${project.natsPort}`,
    reconnect: false,
    ...operator,
  });
  try {
    const streams: Stream[] = [];
    for await (const { config, cluster } of (await jetstreamManager(connection)).streams.list())
      streams.push({
        name: config.name,
        replicas: config.num_replicas,
        leader: cluster?.leader,
        current: cluster?.replicas?.every(({ current, offline }) => current && !offline) ?? false,
      });
    return streams;
  } finally {
    await connection.close();
  }
}
