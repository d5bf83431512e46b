import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, millis, type NatsConnection } from "nats";
import pino from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import type { TestServer } from "../../test/harness/restartable.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { kvRateCache } from "./rate-cache.ts";
import { removeBuckets, snapshotOf } from "./world.fixture.ts";

const stream = "KV_casino_rates";
const logged: string[] = [];
const log = pino({}, { write: (line) => logged.push(line) });
const never = new AbortController().signal;
const snapshot = (usd: string) => snapshotOf(usd, 1_641_818_096_789);

let server: TestServer;
const connections: NatsConnection[] = [];

async function connection(): Promise<NatsConnection> {
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  connections.push(nc);
  return nc;
}
const cacheOfAProcess = async (timeout = 10_000) =>
  kvRateCache(await connection(), { log, replicas: 1, timeout });
const manager = async () => jetstreamManager(await connection());

beforeAll(async () => {
  server = await natsForTest();
});
afterAll(() => Promise.all(connections.map((nc) => nc.close())));
beforeEach(async () => {
  logged.length = 0;
  await removeBuckets(await manager());
});

test("makes its bucket once, however many processes do so at the same time", async () => {
  const caches = await Promise.all(Array.from({ length: 16 }, () => cacheOfAProcess()));
  await Promise.all(caches.map((cache) => cache.get()));
  const { config } = await (await manager()).streams.info(stream);
  expect(config).toMatchObject({
    max_msgs_per_subject: 1,
    num_replicas: 1,
    storage: "file",
    allow_direct: false,
  });
  expect(millis(config.max_age)).toBe(60_000);
});

test("uses a bucket that somebody else made in another way", async () => {
  await new Kvm(await connection()).create("casino_rates", { history: 5 });
  const cache = await cacheOfAProcess();
  await cache.put(snapshot("1.07"));
  expect(await cache.get()).toEqual(snapshot("1.07"));
});

test("does not accept replicas that there cannot be", async () => {
  const demanding = kvRateCache(await connection(), { log, replicas: 3 });
  await expect(demanding.get()).rejects.toThrow(/replicas/);
  await (await cacheOfAProcess()).get();
  await expect(demanding.get()).rejects.toThrow(/replicas/);
  expect((await (await manager()).streams.info(stream)).config.num_replicas).toBe(1);
});

test("hands a snapshot from one process to the others", async () => {
  const [one, two] = [await cacheOfAProcess(), await cacheOfAProcess()];
  expect(await two.get()).toBeUndefined();
  await one.put(snapshot("1.0684000000000000001"));
  expect(await two.get()).toEqual(snapshot("1.0684000000000000001"));
  await two.put(snapshot("1.07"));
  expect(await one.get()).toEqual(snapshot("1.07"));
});

test("waits for the snapshot that is wanted, the one there already included", async () => {
  const [one, two] = [await cacheOfAProcess(), await cacheOfAProcess()];
  await one.put(snapshot("1"));
  expect(await two.next(() => true, never)).toEqual(snapshot("1"));

  const seen: (string | undefined)[] = [];
  const wanted = two.next((candidate) => {
    seen.push(candidate.rates.get("USD"));
    return candidate.rates.get("USD") === "3";
  }, never);
  await waitFor(() => seen.length === 1);
  await one.put(snapshot("2"));
  await one.put(snapshot("3"));
  expect(await wanted).toEqual(snapshot("3"));
  expect(seen).toEqual(["1", "2", "3"]);
});

test("stops waiting with its signal", async () => {
  const cache = await cacheOfAProcess();
  const stop = new AbortController();
  const waiting = cache.next(() => true, stop.signal);
  const { streams } = await manager();
  await waitFor(async () => (await streams.info(stream)).state.consumer_count === 1);
  stop.abort();
  expect(await waiting).toBeUndefined();
  expect(await cache.next(() => true, stop.signal)).toBeUndefined();
});

test("passes over what is no snapshot, and says so", async () => {
  const cache = await cacheOfAProcess();
  const bucket = await new Kvm(await connection()).create("casino_rates");
  await bucket.put("EUR", '{"base":"EUR","rates":{"USD":"0"}}');
  expect(await cache.get()).toBeUndefined();
  expect(logged.join("")).toContain("cannot be used");
  await bucket.put("EUR", new Uint8Array([0xff]));
  expect(await cache.get()).toBeUndefined();
  await bucket.delete("EUR");
  expect(await cache.get()).toBeUndefined();
  await cache.put(snapshot("1.07"));
  expect(await cache.next(() => true, never)).toEqual(snapshot("1.07"));
});

test("makes a bucket anew that was deleted", async () => {
  const cache = await cacheOfAProcess();
  await cache.put(snapshot("1.07"));
  await (await manager()).streams.delete(stream);
  await expect(cache.get()).rejects.toThrow("stream not found");
  await cache.put(snapshot("1.08"));
  expect(await cache.get()).toEqual(snapshot("1.08"));
});

test("rejects within its timeout while NATS is away, and works again after", async () => {
  const cache = await cacheOfAProcess(500);
  await cache.put(snapshot("1.07"));
  await server.kill();
  const began = performance.now();
  await expect(cache.get()).rejects.toThrow();
  await expect(cache.put(snapshot("1.08"))).rejects.toThrow();
  await expect(cache.next(() => true, never)).rejects.toThrow();
  expect(performance.now() - began).toBeLessThan(30_000);
  await server.start();
  await waitFor(() => cache.put(snapshot("1.09")).then(() => true));
  expect(await cache.get()).toEqual(snapshot("1.09"));
});
