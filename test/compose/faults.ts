import assert from "node:assert/strict";
import { addClient, healthy, materialized, proved, settled } from "./account.ts";
import { open } from "./first-try.ts";
import type { Project } from "./project.ts";
import { check } from "./report.ts";
import { Sender } from "./sender.ts";

const client = "check-casino";
/** Killed one after the other while events come in; each is restarted by its policy. */
const services = ["enricher", "gateway", "archiver", "materializer", "logger"];
/** Killed and, because the engine takes that for somebody's wish, started again by hand. */
const servers = ["nats", "postgres", "redis"];

/** Three enrichers, passwords made up by the documented command, no samples but the rates; then one crash after another. */
export async function checkFaults(project: Project): Promise<void> {
  await check("it comes up with passwords from .env and three enrichers", async () => {
    await project.compose("up", "--wait", "--scale", "enricher=3", "--scale", "generator=0");
    assert.equal((await project.containers("enricher")).length, 3);
    assert.equal((await project.containers("generator")).length, 0);
  });
  await check(
    "NATS_ANONYMOUS empty lets in nobody without credentials, and made-up passwords replace the first ones",
    async () => {
      await assert.rejects(open(project, {}), /authorization violation/i);
      await assert.rejects(
        open(project, { user: "inspector", pass: "inspector" }),
        /authorization violation/i,
      );
    },
  );
  const sender = new Sender(project.gateway, await addClient(project, client));
  for (const service of services) {
    await check(`${service} is killed under load: nothing lost, nothing doubled`, async () => {
      await sender.during(() => project.crash(service));
      await settled(project, client, sender.sent);
      await healthy(project, service);
      const restarts = (await project.containers(service)).map(({ RestartCount }) => RestartCount);
      assert.equal(Math.max(...restarts), 1);
      return `${sender.sent} events`;
    });
  }
  for (const server of servers) {
    await check(`${server} is killed under load: nothing lost, nothing doubled`, async () => {
      await sender.during(async () => {
        await project.compose("kill", server);
        await project.compose("start", server);
        await healthy(project, server);
      });
      await settled(project, client, sender.sent);
      return `${sender.sent} events, ${sender.retries} requests repeated`;
    });
  }
  await check("npm run prove accounts for everything", () => proved(project));
  await check("after down and up everything is still there", async () => {
    const before = await materialized(project);
    await project.down();
    await project.compose("up", "--wait", "--scale", "generator=0");
    await settled(project, client, sender.sent);
    const after = await materialized(project);
    assert.equal(after.events_total, before.events_total);
  });
}
