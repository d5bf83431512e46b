import { Redis } from "ioredis";
import pino from "pino";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { redisForTest, redisServerForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Lease, noLock, type RedisLockOptions, redisLock } from "./lock.ts";

const logged: string[] = [];
const log = pino({}, { write: (line) => logged.push(line) });
beforeEach(() => {
  logged.length = 0;
});

function lockOn(url: string, options: Partial<RedisLockOptions> = {}) {
  const lock = redisLock({ url, log, ...options });
  onTestFinished(() => lock.close());
  return lock;
}

function must(lease: Lease | undefined): Lease {
  if (lease === undefined) throw new Error("the lock was not granted");
  return lease;
}

test("is held by one at a time", async () => {
  const url = await redisForTest();
  const locks = Array.from({ length: 8 }, () => lockOn(url));
  const leases = await Promise.all(locks.map((lock) => lock.acquire()));
  const held = leases.filter((lease) => lease !== undefined);
  expect(held).toHaveLength(1);

  await held[0]?.release();
  const again = await Promise.all(locks.map((lock) => lock.acquire()));
  expect(again.filter((lease) => lease !== undefined)).toHaveLength(1);
});

test("passes on from a holder that died, after its ttl and not before", async () => {
  const url = await redisForTest();
  const ttl = 400;
  const dead = lockOn(url, { ttl });
  const began = performance.now();
  must(await dead.acquire());
  await dead.close();

  const other = lockOn(url, { ttl });
  await waitFor(() => other.acquire());
  expect(performance.now() - began).toBeGreaterThanOrEqual(ttl);
});

test("is not taken from its next holder by one who comes late", async () => {
  const url = await redisForTest();
  const late = must(await lockOn(url, { ttl: 1 }).acquire());
  const next = lockOn(url);
  await waitFor(() => next.acquire());
  await late.release();
  expect(await lockOn(url).acquire()).toBeUndefined();
});

test("is granted to everybody while Redis is away, and shared again after", async () => {
  const server = await redisServerForTest();
  const [one, two] = [lockOn(server.url), lockOn(server.url)];
  const lease = must(await one.acquire());
  expect(await two.acquire()).toBeUndefined();

  await server.kill();
  const began = performance.now();
  for (let call = 0; call < 20; call++) must(await two.acquire());
  // At once: waiting for the connection to come back would take longer with each attempt.
  expect(performance.now() - began).toBeLessThan(10_000);
  await lease.release();
  // One line each, not one per call or attempt to reconnect.
  expect(logged.filter((line) => line.includes("may be asked by several processes"))).toHaveLength(2);

  await server.start();
  await waitFor(() => logged.filter((line) => line.includes("works again")).length === 2);
  must(await one.acquire());
  expect(await two.acquire()).toBeUndefined();
});

test("is granted when Redis was never there", async () => {
  const server = await redisServerForTest();
  await server.kill();
  const lock = lockOn(server.url);
  await must(await lock.acquire()).release();
  await lock.close();
  expect(logged.filter((line) => line.includes('"level":40'))).toHaveLength(1);
});

test("is granted within its timeout when Redis hangs", async () => {
  const server = await redisServerForTest();
  const lock = lockOn(server.url, { timeout: 200 });
  await must(await lock.acquire()).release();
  process.kill(server.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
  const began = performance.now();
  must(await lock.acquire());
  expect(performance.now() - began).toBeLessThan(5_000);
});

test("does not tell the log its password", async () => {
  const server = await redisServerForTest();
  const admin = new Redis(server.url);
  await admin.config("SET", "requirepass", "right");
  admin.disconnect();
  const lock = lockOn(server.url.replace("//", "//:wr0ngpass@"));
  must(await lock.acquire());
  expect(logged.join("")).toContain("WRONGPASS");
  expect(logged.join("")).not.toContain("wr0ngpass");
});

test("without Redis is granted to everybody", async () => {
  await Promise.all([must(await noLock.acquire()).release(), must(await noLock.acquire()).release()]);
  await noLock.close();
});
