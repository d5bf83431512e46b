import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { freePort } from "./free-port.ts";
import { Outlet } from "./outlet.ts";
import { identityOf } from "./process-identity.ts";
import type { Producer } from "./producers.ts";
import type { ServiceSpec } from "./services.ts";
import { Stack } from "./stack.ts";

const services: readonly ServiceSpec[] = [
  { name: "web", stage: 2, http: "front" },
  { name: "other", stage: 2, http: "own" },
  { name: "writer", stage: 2, http: "none", writesEvents: true },
  { name: "generator", stage: 3, http: "none" },
];

/** A service as `up` sees one: it says that it runs, is ready when it listens, and stops when it is asked to. */
const fakeService = `
import { createServer } from "node:http";
const name = import.meta.dirname.split("/").at(-1);
console.error(name + " runs " + process.pid + " " + process.argv.slice(2).join(" "));
console.log('{"from":"' + name + '"}');
const end = () => { console.error(name + " stops"); process.exit(0); };
process.on("SIGTERM", end);
process.on("disconnect", end);
process.channel.unref();
const port = process.env.HTTP_PORT;
if (port) createServer((_request, response) => response.end("ready")).listen(Number(port), "127.0.0.1");
else setInterval(() => undefined, 1000);
`;

async function stackOf(
  overrides: Record<string, string> = {},
  port?: number,
  producers: readonly Producer[] = [],
  demo = false,
) {
  const folder = tempFolder("stack");
  const scripts: Record<string, string> = {
    migrate: 'console.error("migrated " + process.env.DATABASE_URL)',
    samples: 'console.error("samples " + process.argv[2])',
    ...overrides,
  };
  for (const name of ["migrate", "samples", "receiver", ...services.map((service) => service.name)]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "main.ts"), scripts[name] ?? fakeService);
  }
  const [events, messages] = [new PassThrough(), new PassThrough()];
  const said = { events: "", messages: "" };
  events.on("data", (chunk) => {
    said.events += chunk;
  });
  messages.on("data", (chunk) => {
    said.messages += chunk;
  });
  const options = {
    rate: 7,
    producers,
    port: port ?? (await freePort()),
    data: join(folder, "data"),
    fresh: false,
    strict: false,
    verbose: false,
    samples: !demo,
    demo,
    without: new Set<string>(),
  };
  const stack = new Stack({
    options,
    given: {
      NATS_URL: "nats://user:secret@127.0.0.1:1",
      DATABASE_URL: "postgres://127.0.0.1:1/x",
      REDIS_URL: "redis://127.0.0.1:1",
      RATES_URL: "http://127.0.0.1:1",
    },
    services,
    commands: folder,
    events: new Outlet(events, () => undefined),
    messages: new Outlet(messages, () => undefined),
    readyWithin: 3_000,
  });
  onTestFinished(() => stack.stop());
  const runs = (name: string) =>
    [...said.messages.matchAll(new RegExp(`^${name} runs (\\d+)`, "gm"))].map((match) => Number(match[1]));
  return { stack, said, options, runs };
}

test("starts by stage once the database is migrated, and says where everything is", async () => {
  const { stack, said, options, runs } = await stackOf();
  await stack.start();
  await waitFor(() => runs("generator").length === 1);

  // No service runs before these two have ended.
  expect(said.messages).toMatch(/^migrated postgres:\/\/127\.0\.0\.1:1\/x\nsamples --if-untouched\n/);
  expect(said.messages).toMatch(/generator runs \d+ --rate 7\n/);
  expect(said.messages).toContain(`curl http://127.0.0.1:${options.port}/materialized`);
  expect(said.messages).toMatch(/nats --server nats:\/\/\S+ sub 'casino\.>'/);
  expect(said.messages).toMatch(/nats --server nats:\/\/\S+ req casino\.materialized ''/);
  expect(said.messages).not.toContain("secret");
  expect(said.events).toBe('{"from":"writer"}\n');
});

test("a service that dies is started again on its port; after a stop nothing is left", async () => {
  const { stack, said, options, runs } = await stackOf();
  await stack.start();
  const answers = () => fetch(`http://127.0.0.1:${options.port}/`).then((response) => response.ok);
  for (const name of ["web", "generator"]) {
    const [first] = await waitFor(() => runs(name).length === 1 && runs(name));
    process.kill(first ?? 0, "SIGKILL");
    await waitFor(() => runs(name).length === 2);
  }
  await waitFor(answers);

  await stack.stop();
  const stops = [...said.messages.matchAll(/^(\w+) stops$/gm)].map(([, name]) => name);
  expect(stops[0]).toBe("generator");
  expect(stops.sort()).toEqual(["generator", "other", "web", "writer"]);
  for (const { name } of services) for (const pid of runs(name)) expect(identityOf(pid)).toBeUndefined();
});

test("producers run beside the generator", async () => {
  const { stack, said, runs } = await stackOf({}, undefined, [
    { client: "acme", type: "bet", rate: 3 },
    { client: "acme", type: undefined, rate: undefined },
  ]);
  await stack.start();
  await waitFor(() => runs("generator").length === 3);
  expect(said.messages).toMatch(/generator runs \d+ --client acme --type bet --rate 3\n/);
  expect(said.messages).toMatch(/generator runs \d+ --client acme\n/);
  await stack.stop();
  for (const pid of runs("generator")) expect(identityOf(pid)).toBeUndefined();
});

test("a demo has two more casinos with producers and a receiver, and says what there is to see", async () => {
  const { stack, said, runs } = await stackOf({}, undefined, [], true);
  await stack.start();
  await waitFor(() => runs("generator").length === 3);
  expect(said.messages).toContain("samples --demo\n");
  expect(said.messages).toMatch(/receiver runs \d+ --clients acme-casino,lucky-spin\n/);
  expect(said.messages).toMatch(
    /generator runs \d+ --client acme-casino --rate 5 --currencies USD,CAD,MXN\n/,
  );
  expect(said.messages).toMatch(/generator runs \d+ --client lucky-spin --rate 5 --currencies GBP,SEK,BTC\n/);
  expect(said.messages).toMatch(/materialized\?client_id=lucky-spin'\n/);
  expect(said.messages).toMatch(/ curl 127\.0\.0\.1:\d+\/ .*verified webhooks\n/);
});

test("a service that never gets ready does not keep the others from running", async () => {
  const { stack, said, runs } = await stackOf({ other: "setInterval(() => undefined, 1000)" });
  await stack.start();
  expect(said.messages).toContain("not ready: other: it does not listen yet");
  await waitFor(() => runs("generator").length === 1);
});

test("a migration that fails is the end of it", async () => {
  const { stack, said } = await stackOf({ migrate: 'console.error("no database"); process.exit(1)' });
  await expect(stack.start()).rejects.toThrow("the database could not be migrated (exit code 1): see above");
  expect(said.messages).toBe("no database\n");
});

test("a wrong configuration is the end of it, and no reason to start again for ever", async () => {
  const wrong = 'console.error("X must be right."); process.exit(78)';
  const { stack, said } = await stackOf({ other: wrong });
  await expect(stack.start()).rejects.toMatchObject({
    message: "other ended because its configuration is wrong: see above",
    exitCode: 78,
  });
  expect(said.messages).toContain("X must be right.");
  const { stack: second } = await stackOf({ migrate: wrong });
  await expect(second.start()).rejects.toMatchObject({ exitCode: 78 });
});

test("a port that is taken is said before anything is started", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { stack, said } = await stackOf({}, port);
  await expect(stack.start()).rejects.toThrow(`port ${port} is taken`);
  expect(said.messages).toBe("");
  server.close();
});

test("two stacks do not share a data folder, and the next one may have it", async () => {
  const { stack, options } = await stackOf();
  await stack.start();
  const second = await stackOf();
  Object.assign(second.options, { data: options.data });
  await expect(second.stack.start()).rejects.toThrow(
    `another up (process ${process.pid}) uses ${options.data}`,
  );
  await second.stack.stop();
  await stack.stop();
  const third = await stackOf();
  Object.assign(third.options, { data: options.data });
  await third.stack.start();
});

test("stopping in the middle of the start leaves nothing behind", async () => {
  const { stack, runs } = await stackOf({ other: "setInterval(() => undefined, 1000)" });
  const start = stack.start();
  start.catch(() => undefined);
  const [pid] = await waitFor(() => runs("web").length === 1 && runs("web"));
  await stack.stop();
  await expect(start).rejects.toThrow();
  expect(identityOf(pid ?? 0)).toBeUndefined();
  expect(runs("generator")).toEqual([]);
});
