import assert from "node:assert/strict";
import { waitFor } from "../harness/wait-for.ts";
import type { Project } from "./project.ts";

/** Long enough for a service to be restarted, and for what was in flight to be delivered again. */
const patience = { timeout: 120_000, interval: 500 };

/** Adds a client by the documented commands; resolves to a key for it. */
export async function addClient(project: Project, client: string): Promise<string> {
  await project.compose("run", "--rm", "-T", "clients", "add", client);
  return (await project.compose("run", "--rm", "-T", "clients", "keys", "create", client, "check")).trim();
}

/** The materializer's figures, as the gateway hands them on. */
export async function materialized(project: Project, query = ""): Promise<{ events_total: number }> {
  const answer = await fetch(`${project.gateway}/materialized${query}`, {
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text) as { events_total: number }; // the service's own form
}

/** Waits until Postgres and the aggregates hold each of `sent` events of the client, once. */
export async function settled(project: Project, client: string, sent: number): Promise<void> {
  await waitFor(async () => (await stored(project, client)) >= sent, {
    ...patience,
    what: `${sent} events of ${client} in Postgres`,
  });
  const counted = async () => (await materialized(project, `?client_id=${client}`)).events_total;
  await waitFor(async () => (await counted()) >= sent, {
    ...patience,
    what: `${sent} events in /materialized`,
  });
  // More than were sent would be doubled ones.
  assert.equal(await stored(project, client), sent);
  assert.equal(await counted(), sent);
}

async function stored(project: Project, client: string): Promise<number> {
  return Number(await project.query(`select count(*) from events where client_id = '${client}'`));
}

/** Has `npm run prove` account for everything that was ever accepted. Throws with what it prints when it cannot. */
export async function proved(project: Project): Promise<void> {
  await project.compose("run", "--rm", "-T", "prove", "--wait", "60s");
}

/** Waits until every container of the stack, or of one service, runs and is healthy. */
export async function healthy(project: Project, service?: string): Promise<void> {
  await waitFor(
    async () => {
      const containers = await project.containers(service);
      const ill = containers.filter(
        ({ State }) => State.Status !== "exited" && State.Health?.Status !== "healthy",
      );
      if (ill.length > 0) throw new Error(ill.map(({ Name, State }) => `${Name} ${State.Status}`).join(", "));
      return containers.length > 0;
    },
    { ...patience, what: "healthy containers" },
  );
}
