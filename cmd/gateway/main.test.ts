import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { expect, onTestFinished, test } from "vitest";
import { databaseForTest, natsForTest, redisForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const server = await natsForTest();
const run = promisify(execFile);
const DATABASE_URL = await databaseForTest({
  prepare: (url) =>
    run(process.execPath, ["cmd/migrate/main.ts"], { env: { ...process.env, DATABASE_URL: url } }),
});
const REDIS_URL = await redisForTest();

async function createKey(...args: string[]): Promise<string> {
  const env = { ...process.env, DATABASE_URL };
  const { stdout } = await run(process.execPath, ["cmd/clients/main.ts", "keys", "create", ...args], { env });
  return stdout.trim();
}

/** Starts the service as people do; resolves once it listens. */
async function start(env: NodeJS.ProcessEnv = {}) {
  const child: ChildProcess = spawn(process.execPath, ["cmd/gateway/main.ts"], {
    env: { ...process.env, NATS_URL: server.url, DATABASE_URL, REDIS_URL, HTTP_PORT: "0", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit").then(([code]) => code as number | null); // what an exit gives
  const { stderr } = child;
  if (stderr === null) throw new Error("it was started with a pipe");
  for await (const line of createInterface(stderr)) {
    const { http } = JSON.parse(line);
    if (http === undefined) continue;
    stderr.resume();
    return { child, url: http as string, exited }; // it logs the address it listens on
  }
  throw new Error("the gateway ended before it listened");
}

const event = (id: number) => ({
  id,
  player_id: 12,
  type: "deposit",
  amount: 1,
  currency: "EUR",
  created_at: "2022-03-03T12:12:00Z",
});

async function stored(): Promise<number> {
  const nc = await connect({ servers: server.url });
  try {
    return (await (await jetstreamManager(nc)).streams.info("CASINO_RAW")).state.messages;
  } finally {
    await nc.close();
  }
}

test("takes events with a key, answers for them, and is ready", async () => {
  const { url, child, exited } = await start();
  const key = await createKey("casino", "till");
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(`${url}/events`, { method: "POST", headers, body: JSON.stringify(event(1)) });
  expect({ status: response.status, body: await response.json() }).toEqual({
    status: 202,
    body: { accepted: 1, rejected: [] },
  });
  expect(await stored()).toBe(1);
  const events = await fetch(`${url}/events`, { headers });
  expect(await events.json()).toEqual({ events: [], next_cursor: null });
  const ready = await waitFor(async () => {
    const answer = await fetch(`${url}/readyz`);
    return answer.status === 200 && answer;
  });
  expect(await ready.json()).toEqual({
    status: "ready",
    checks: { nats: "ok", streams: "ok", postgres: "ok", types: "ok" },
  });
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});

test("a CASINO_RAW that somebody deletes is named and made anew, and events are taken again", async () => {
  const key = await createKey("casino", "crm");
  const { url, child } = await start();
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const post = () => fetch(`${url}/events`, { method: "POST", headers, body: JSON.stringify(event(7)) });
  const nc = await connect({ servers: server.url });
  await (await jetstreamManager(nc)).streams.delete("CASINO_RAW");
  await nc.close();
  const refused = await post();
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).not.toBeNull();
  expect(await refused.json()).toMatchObject({
    detail: expect.stringContaining("The stream CASINO_RAW is missing or has no leader"),
  });
  await waitFor(async () => (await post()).status === 202);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  child.kill("SIGTERM");
});

test("at a stop what is under way is finished or answered, whoever hangs is cut off, and it exits with 0 within 10 s", async () => {
  const { url, child, exited } = await start();
  const key = await createKey("casino", "stop");
  const headers = { authorization: `Bearer ${key}` };
  const before = await stored();

  const upload = request(`${url}/events`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/x-ndjson" },
  });
  upload.write(`${JSON.stringify(event(1))}\n`);
  const uploadAnswer = once(upload, "response").then(async ([response]) => ({
    status: response.statusCode,
    body: JSON.parse(await text(response)),
  }));
  const hanging = connectTcp(Number(new URL(url).port), "127.0.0.1");
  hanging.write("POST /events HTTP/1.1\r\nHost: x\r\n");
  const [half, halfAnswer] = [
    request(`${url}/events`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "content-length": 100 },
    }),
    Promise.withResolvers<number | undefined>(),
  ];
  half.once("response", (response) => halfAnswer.resolve(response.statusCode));
  half.write("[");
  onTestFinished(() => {
    for (const open of [upload, hanging, half]) open.destroy();
  });
  for (const open of [upload, hanging, half]) open.on("error", () => undefined);

  await waitFor(async () => (await stored()) === before + 1);
  await waitFor(() => half.socket?.bytesWritten);
  const asked = performance.now();
  child.kill("SIGTERM");
  expect(await uploadAnswer).toMatchObject({ status: 503, body: { accepted: 1 } });
  expect(await halfAnswer.promise).toBe(503);
  expect(await exited).toBe(0);
  expect(performance.now() - asked).toBeLessThan(10_000);
});

test("stops also while NATS and Postgres are away", async () => {
  const { child, exited, url } = await start();
  await server.kill();
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  child.kill("SIGINT");
  expect(await exited).toBe(0);
  await server.start();
});

test("starts without Postgres and Redis, and says so", async () => {
  const { url } = await start({
    DATABASE_URL: "postgres://x@127.0.0.1:1/x",
    REDIS_URL: "redis://127.0.0.1:1",
  });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    checks: {
      nats: "ok",
      postgres: expect.stringMatching(/ECONNREFUSED/),
      types: expect.stringMatching(/not loaded yet/),
    },
    warnings: [expect.stringMatching(/Redis is/)],
  });
});
