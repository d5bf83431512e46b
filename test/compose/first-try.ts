import assert from "node:assert/strict";
import { jetstream } from "@nats-io/jetstream";
import { type ConnectionOptions, connect, headers, type NatsConnection } from "nats";
import { waitFor } from "../harness/wait-for.ts";
import { materialized } from "./account.ts";
import { type Project, serviceOf } from "./project.ts";
import { check } from "./report.ts";

/** Services that are not ours, and run as their images do. */
const servers = ["guard", "nats", "postgres", "redis"];
/** The only ones that can be reached from outside. */
const published = ["gateway", "nats"];

/** What somebody sees who has just cloned it and said `docker compose up --wait`; nothing is set. */
export async function checkFirstTry(project: Project): Promise<void> {
  await check("everything comes up with nothing set", () =>
    project.compose("up", "--wait").then(() => undefined),
  );
  await check("the generator's events are counted at once", async () => {
    const { events_total: before } = await materialized(project);
    await waitFor(async () => (await materialized(project)).events_total > before, { what: "more events" });
    return `${before} and rising`;
  });
  await check("only the gateway and NATS are published, on loopback", async () => {
    const containers = await project.containers();
    const open = containers.flatMap((container) =>
      Object.values(container.NetworkSettings.Ports)
        .flatMap((hosts) => hosts ?? [])
        .map(({ HostIp }) => `${serviceOf(container)} ${HostIp}`),
    );
    assert.deepEqual(
      open.sort(),
      published.map((service) => `${service} 127.0.0.1`),
    );
  });
  await check("every container is confined", async () => {
    const containers = await project.containers();
    for (const container of containers) {
      const { HostConfig } = container;
      assert.ok(HostConfig.Memory > 0, `${container.Name} has a memory limit`);
      assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges:true"], container.Name);
      if (serviceOf(container) === "postgres") continue;
      assert.equal(HostConfig.ReadonlyRootfs, true, container.Name);
      assert.deepEqual(HostConfig.CapDrop, ["ALL"], container.Name);
    }
    const ours = containers.filter((container) => !servers.includes(serviceOf(container)));
    assert.deepEqual([...new Set(ours.map(({ Config }) => Config.User))], ["1000:1000"]);
    return `${containers.length} containers`;
  });
  await check("whoever has no credentials sees every stage pass and asks for the figures", async () => {
    await using nats = await open(project, {});
    const seen = new Set<string>();
    nats.connection.subscribe("casino.>", {
      callback: (_, { subject }) => {
        seen.add(subject.split(".")[2] ?? "");
      },
    });
    await waitFor(() => ["raw", "priced", "profiled", "final"].every((stage) => seen.has(stage)));
    const { data } = await nats.connection.request("casino.materialized", "", { timeout: 5_000 });
    assert.ok(JSON.parse(data.toString()).events_total > 0);
  });
  await check("and may publish nothing", async () => {
    await using nats = await open(project, {});
    assert.match(await refusal(nats.connection, "casino.event.raw.casino"), /permissions violation/i);
  });
  await check("a producer publishes for its client only, and a bad event becomes a dead letter", async () => {
    const user = "producer-casino";
    await using nats = await open(project, { user, pass: user, inboxPrefix: `_INBOX_${user}` });
    assert.match(await refusal(nats.connection, "casino.event.raw.acme-casino"), /permissions violation/i);
    const event = {
      id: 1,
      type: "deposit",
      player_id: 10,
      amount: 500,
      currency: "USD",
      created_at: "2022-02-02T23:45:00Z",
    };
    const source = headers();
    source.set("Casino-Source", "compose-check");
    const js = jetstream(nats.connection);
    await js.publish("casino.event.raw.casino", JSON.stringify(event), { headers: source });
    await js.publish("casino.event.raw.casino", "not json", { headers: source });
    await waitFor(async () => await project.query("select id from events where source = 'compose-check'"));
    const letters = () => project.compose("run", "--rm", "-T", "dead-letters", "list");
    await waitFor(async () => (await letters()).includes("invalid_json"), { timeout: 30_000 });
  });
  await check("a wrong password is refused", async () => {
    await assert.rejects(open(project, { user: "gateway", pass: "guessed" }), /authorization violation/i);
  });
  await check("an event posted with a fresh key is answered, enriched and persisted", async () => {
    const key = (
      await project.compose("run", "--rm", "-T", "clients", "keys", "create", "casino", "curl")
    ).trim();
    const authorization = `Bearer ${key}`;
    const posted = await fetch(`${project.gateway}/events`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: `{"id":1,"type":"deposit","player_id":10,"amount":500,"currency":"USD","created_at":"2001-02-02T23:45:00Z"}`,
    });
    assert.deepEqual([posted.status, await posted.json()], [202, { accepted: 1, rejected: [] }]);
    const found = await waitFor(async () => {
      const page = await fetch(`${project.gateway}/events?to=2001-12-31T00:00:00Z`, {
        headers: { authorization },
      });
      return ((await page.json()) as { events: readonly { description: string }[] }).events[0];
    });
    return found.description;
  });
  await check("the logger prints final events", async () => {
    const log = await project.compose("logs", "--no-log-prefix", "--tail", "20", "logger");
    assert.match(log, /\{"id":\d+,.*"description":"Player #/);
  });
  await check("SAMPLES=0 takes the generator and the sample rates away", async () => {
    await project.shell("SAMPLES=0 docker compose up --wait");
    const left = (await project.containers()).map(serviceOf);
    assert.ok(
      left.includes("enricher") && !left.includes("generator") && !left.includes("rates"),
      left.join(),
    );
  });
}

/** A connection from outside; closes itself. */
export async function open(
  project: Project,
  options: ConnectionOptions,
): Promise<{ connection: NatsConnection } & AsyncDisposable> {
  const connection = await connect({
    servers: `127.0.0.1:${project.natsPort}`,
    reconnect: false,
    ...options,
  });
  return { connection, [Symbol.asyncDispose]: () => connection.close() };
}

/** What the server says to a message that it refuses. Throws when it takes it. */
async function refusal(connection: NatsConnection, subject: string): Promise<string> {
  const errors: string[] = [];
  void (async () => {
    for await (const status of connection.status())
      if (status.type === "error") errors.push(status.error.message);
  })();
  connection.publish(subject, "{}");
  return await waitFor(() => errors.join(), { what: `a refusal of ${subject}` });
}
