import { createServer, type ServerResponse } from "node:http";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "nats";
import pino from "pino";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { natsForTest, redisForTest } from "../../test/harness/infrastructure.ts";
import type { TestServer } from "../../test/harness/restartable.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { ratesApi } from "./api.ts";
import { kvCurrencies } from "./currencies.ts";
import { redisLock } from "./lock.ts";
import { kvRateCache } from "./rate-cache.ts";
import type { RateSnapshot } from "./rate-snapshot.ts";
import { createRates, type Rates, type RatesOptions } from "./rates.ts";

/** Where the clock of each test begins, in epoch ms. */
export const start = Date.UTC(2022, 0, 10, 12, 34);
/** The signal of a caller that never gives up. */
export const never = new AbortController().signal;

/** A good answer with another rate in each call. */
export const good = (response: ServerResponse) => {
  response.end(`{"base":"EUR","rates":{"USD":1.0${world.calls}}}`);
};
export const broken = (response: ServerResponse) => {
  response.writeHead(500).end();
};

/** A snapshot with one rate, as a good answer gives it. */
export const snapshotOf = (usd: string, fetchedAt: number): RateSnapshot => ({
  rates: new Map([["USD", usd]]),
  leftOut: [],
  missing: new Map(),
  fetchedAt,
});

/** What all processes of a test share. Begins anew with each test of a file that calls `useWorld`. */
export const world = {
  /** How often the rates API has been asked. */
  calls: 0,
  /** What the rates API does when asked. */
  answer: good,
  /** Epoch ms. */
  clock: start,
  redisUrl: "",
  logged: [] as string[],
};

export const log = pino({}, { write: (line) => void world.logged.push(line) });
const closers: (() => Promise<unknown>)[] = [];
let nats: TestServer;
let apiUrl: string;

/** Gives a test file a nats-server and a rates API of its own, and each test empty buckets and an empty Redis. */
export function useWorld(): void {
  const api = createServer((_request, response) => {
    world.calls++;
    world.answer(response);
  });
  beforeAll(async () => {
    nats = await natsForTest();
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    const address = api.address();
    apiUrl = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/latest`;
  });
  afterAll(() => {
    api.closeAllConnections();
    api.close();
  });
  beforeEach(async () => {
    Object.assign(world, {
      calls: 0,
      answer: good,
      clock: start,
      logged: [],
      redisUrl: await redisForTest(),
    });
    await removeBuckets(await manager());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
}

/** Removes the buckets if there are any, and what they hold. */
export async function removeBuckets({ streams }: JetStreamManager): Promise<void> {
  // nats-server 2.10 and newer can bring back, in the next stream of that name, what was written just before a deletion.
  for (const name of ["KV_casino_rates", "KV_casino_currencies"]) {
    await streams.purge(name).catch(() => {});
    await streams.delete(name).catch(() => {});
  }
}

export const natsServer = (): TestServer => nats;

export async function connection(): Promise<NatsConnection> {
  const nc = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  closers.push(() => nc.close());
  return nc;
}

export const manager = async (): Promise<JetStreamManager> => jetstreamManager(await connection());
export const bucket = async (): Promise<KV> =>
  new Kvm(await connection()).create("casino_rates", { ttl: 60_000 });

/** Resolves when somebody watches the bucket, which is how one waits for another process. */
export async function somebodyWaits(): Promise<void> {
  const { streams } = await manager();
  await waitFor(async () => (await streams.info("KV_casino_rates")).state.consumer_count === 1);
}

/** The lock as one process has it. */
export function lockOfAProcess(options: { redis?: string; ttl?: number } = {}) {
  const { redis = world.redisUrl, ...others } = options;
  const lock = redisLock({ url: redis, log, ...others });
  closers.push(() => lock.close());
  return lock;
}

/** Takes the lock as a process does that then dies. */
export async function dieWithLock(ttl: number): Promise<void> {
  const lock = lockOfAProcess({ ttl });
  if ((await lock.acquire()) === undefined) throw new Error("the lock was not free");
  await lock.close();
}

/** What one process has: connections of its own, the clock of all. */
export async function startProcess(
  options: Partial<RatesOptions> & { redis?: string; apiTimeout?: number; natsTimeout?: number } = {},
): Promise<Rates> {
  const { redis = world.redisUrl, apiTimeout = 5_000, natsTimeout = 5_000, ...others } = options;
  const nc = await connection();
  const rates = createRates({
    cache: kvRateCache(nc, { log, replicas: 1, timeout: natsTimeout }),
    currencies: kvCurrencies(nc, { log, replicas: 1, timeout: natsTimeout }),
    fetchRates: ratesApi({ url: apiUrl, timeout: apiTimeout }),
    lock: lockOfAProcess({ redis }),
    log,
    now: () => world.clock,
    retryLockEvery: 50,
    ...others,
  });
  closers.push(() => rates.close());
  return rates;
}
