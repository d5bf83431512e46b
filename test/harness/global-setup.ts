import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { findNatsServer } from "../../internal/local/binaries.ts";
import { startPostgres } from "../../internal/local/postgres-server.ts";
import { startRedis } from "../../internal/local/redis-server.ts";
import { watch } from "./guard.ts";
import { tempFolder } from "./temp-folder.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A Postgres shared by the whole run; its role `casino` may create databases. */
    postgresUrl: string;
    /** A Redis shared by the whole run. */
    redisUrl: string;
    /** The nats-server that every test file starts for itself. */
    natsServer: string;
  }
}

/** Starts what all test files share, once per run, and stops it at the end; the guard does when the run is interrupted. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = tempFolder("tests");
  // Found here and not in each test file: it may have to be downloaded first.
  const natsServer = await findNatsServer();
  const [postgres, redis] = await Promise.all([
    startPostgres({ dir: join(folder, "postgres"), durability: "fast", spawned: watch }),
    startRedis({ dir: join(folder, "redis"), databases: 10_000, spawned: watch }),
  ]);
  project.provide("postgresUrl", postgres.url);
  project.provide("redisUrl", redis.url);
  project.provide("natsServer", natsServer.path);
  return async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
  };
}
