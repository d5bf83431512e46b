import { Redis } from "ioredis";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { redisForTest, redisServerForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { localCounter, type RequestCounter, redisCounter } from "../http/request-counter.ts";
import { deposit, gatewaysOfFile, keyFor, type TestGateway } from "./gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("shared");
let id = 1;

const post = ({ app }: TestGateway, key: string) =>
  app.inject({
    method: "POST",
    url: "/events",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    payload: JSON.stringify(deposit(id++)),
  });
const read = ({ app }: TestGateway, key: string) =>
  app.inject({ url: "/events", headers: { authorization: `Bearer ${key}` } });

/** Closed after the test. */
function shared(url: string, log = silent): RequestCounter {
  const counter = redisCounter(url, log);
  onTestFinished(() => counter.close());
  return counter;
}

/**
 * What a scenario gives that runs within one window from its start, of whose 5 requests one is used. On a busy machine it
 * may not get through in time: then it runs again.
 */
function inOneWindow<T>(gateway: TestGateway, key: string, scenario: () => Promise<T[]>): Promise<T[]> {
  return waitFor(async () => {
    const began = performance.now();
    if (Number((await read(gateway, key)).headers["x-ratelimit-remaining"]) !== 4) return undefined;
    const result = await scenario();
    return performance.now() - began < 1_000 ? result : undefined;
  });
}

test("beyond the limit there is a 429 that says when to come again; keys do not share it, their routes do", async () => {
  const gateway = await openGateway({ rateLimit: 5 });
  const [key, other] = [await keyFor(db, "a"), await keyFor(db, "b")];
  const responses = await inOneWindow(gateway, key, async () => {
    const all = [];
    for (const ask of [post, read, post, read, post]) all.push(await ask(gateway, key));
    return all;
  });
  expect(responses.map(({ statusCode }) => statusCode)).toEqual([202, 200, 202, 200, 429]);
  const refused = responses[4] ?? expect.fail("there are five");
  expect(refused.statusCode).toBe(429);
  expect(refused.headers).toMatchObject({ "content-type": "application/problem+json", "retry-after": "1" });
  expect(refused.json()).toEqual({
    type: "about:blank",
    title: "Too Many Requests",
    status: 429,
    detail: "This API key makes more than 5 requests per second: wait, or send more events in each.",
  });
  expect((await post(gateway, other)).statusCode).toBe(202);
  for (const url of ["/healthz", "/docs", "/openapi.json"])
    for (let i = 0; i < 10; i++) expect((await gateway.app.inject(url)).statusCode).toBe(200);
  await waitFor(async () => (await post(gateway, key)).statusCode === 202);
});

test("gateways share the limit through Redis", async () => {
  const url = await redisForTest();
  const counters = [shared(url), shared(url)];
  await waitFor(() => counters.every((counter) => counter.problem === undefined));
  const gateways = await Promise.all(counters.map((counter) => openGateway({ rateLimit: 5, counter })));
  const [first, second] = gateways;
  if (first === undefined || second === undefined) expect.fail("there are two");
  await post(second, key); // so that both know the key
  const statuses = await inOneWindow(first, key, async () => {
    const all = [];
    for (const gateway of [first, second, first, second, first, second])
      all.push((await post(gateway, key)).statusCode);
    return all;
  });
  expect(statuses).toEqual([202, 202, 202, 202, 429, 429]);
});

test("while Redis is away each gateway limits on its own, without delay; the log says it once", async () => {
  const redis = await redisServerForTest();
  const lines: string[] = [];
  const counter = shared(
    redis.url,
    pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line).msg) }),
  );
  await waitFor(() => counter.problem === undefined);
  const gateway = await openGateway({ rateLimit: 5, counter });
  const key = await keyFor(db, "alone");
  expect((await post(gateway, key)).statusCode).toBe(202);
  await redis.kill();
  await waitFor(() => counter.problem?.startsWith("Redis is away"));
  const statuses = await inOneWindow(gateway, key, async () => {
    const all = [];
    for (let i = 0; i < 6; i++) all.push((await post(gateway, key)).statusCode);
    return all;
  });
  expect(statuses).toEqual([202, 202, 202, 202, 429, 429]);
  await redis.start();
  await waitFor(() => counter.problem === undefined);
  expect(lines.filter((line) => line.startsWith("Redis is away"))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith("rate limits are shared"))).toHaveLength(2);
});

test("a Redis that is full is a warning; the connection to one that became a replica is made anew", async () => {
  const [first, second] = [await redisServerForTest(), await redisServerForTest()];
  const portOf = (url: string) => Number(new URL(url).port);
  const admin = new Redis(first.url);
  onTestFinished(() => admin.disconnect());
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const counter = shared(first.url, log);
  const gateway = await openGateway({ counter });
  await waitFor(() => counter.problem === undefined);

  await admin.config("SET", "maxmemory", "1");
  await waitFor(async () => {
    await counter.count("x", 60_000);
    return counter.problem?.startsWith("Redis does not count") && counter.problem.includes("OOM");
  });
  const ready = await gateway.app.inject("/readyz");
  expect(ready.statusCode).toBe(200);
  expect(ready.json().warnings).toEqual([expect.stringContaining("each gateway limits on its own")]);
  await admin.config("SET", "maxmemory", "0");
  await waitFor(async () => (await counter.count("x", 60_000)) && counter.problem === undefined);

  await admin.replicaof("127.0.0.1", String(portOf(second.url)));
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(await admin.info("stats"))?.[1]);
  const before = await connections();
  await waitFor(async () => (await counter.count("x", 60_000)) && counter.problem?.includes("READONLY"));
  await waitFor(async () => (await connections()) > before);
  await admin.replicaof("NO", "ONE");
  await waitFor(async () => (await counter.count("x", 60_000)) && counter.problem === undefined);
  // Not one for each new connection.
  expect(lines.filter((line) => line.startsWith("Redis does not count"))).toHaveLength(2);
  expect(lines.filter((line) => line.startsWith("rate limits are shared"))).toHaveLength(3);
});

test("a count lasts for its window", async () => {
  for (const counter of [localCounter(), shared(await redisForTest())]) {
    await waitFor(() => counter.problem === undefined);
    const first = await counter.count("x", 200);
    expect(first.current).toBe(1);
    expect(first.ttl).toBeGreaterThan(0);
    expect(first.ttl).toBeLessThanOrEqual(200);
    await waitFor(async () => (await counter.count("x", 200)).current === 1);
    expect((await counter.count("y", 60_000)).current).toBe(1);
    expect((await counter.count("y", 60_000)).current).toBe(2);
  }
});
