import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import pg from "pg";
import { inject } from "vitest";
import { type NatsOptions, startNats } from "../../internal/local/nats-server.ts";
import { startPostgres } from "../../internal/local/postgres-server.ts";
import { startRedis } from "../../internal/local/redis-server.ts";
import { restartable, type TestServer } from "./restartable.ts";
import { tempFolder } from "./temp-folder.ts";

const servers: TestServer[] = [];

/** Ends the servers of the test file that ran last. */
export async function endServers(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.kill()));
}

/**
 * A nats-server of this test file's own on a free port, with JetStream ready; ended after the file's last test. May be
 * called anywhere, several times.
 */
export async function natsForTest(options: Partial<Omit<NatsOptions, "port">> = {}): Promise<TestServer> {
  const dir = options.dir ?? tempFolder("nats");
  const binary = options.binary ?? inject("natsServer");
  return keep(await restartable((again) => startNats({ ...options, ...again, dir, binary })));
}

/**
 * The URL of a new, empty database on the Postgres that the whole run shares. `prepare` is called with it first: hand in
 * the migrations where a test needs tables.
 */
export async function databaseForTest(
  options: { readonly prepare?: (url: string) => Promise<unknown> } = {},
): Promise<string> {
  const shared = inject("postgresUrl");
  const name = `test_${randomBytes(6).toString("hex")}`;
  const client = new pg.Client({ connectionString: shared });
  await client.connect();
  try {
    // template0: unlike template1 nobody can be connected to it, which would make this fail.
    await client.query(`create database ${name} template template0`);
  } finally {
    await client.end();
  }
  const url = new URL(shared);
  url.pathname = `/${name}`;
  await options.prepare?.(url.href);
  return url.href;
}

/** The URL of an empty database, no other test's, on the Redis that the whole run shares. */
export async function redisForTest(): Promise<string> {
  const shared = inject("redisUrl");
  const redis = new Redis(shared);
  try {
    return `${shared}/${await redis.incr("databases")}`;
  } finally {
    redis.disconnect();
  }
}

/** A Postgres of this test file's own, to be stopped and killed; for all else `databaseForTest` is faster. */
export async function postgresForTest(): Promise<TestServer> {
  const dir = tempFolder("postgres");
  return keep(await restartable((again) => startPostgres({ ...again, dir, durability: "fast" })));
}

/** A Redis of this test file's own, to be stopped and killed; for all else `redisForTest` is faster. */
export async function redisServerForTest(): Promise<TestServer> {
  const dir = tempFolder("redis");
  return keep(await restartable((again) => startRedis({ ...again, dir })));
}

function keep(server: TestServer): TestServer {
  servers.push(server);
  return server;
}
