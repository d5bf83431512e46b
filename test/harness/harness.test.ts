import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Redis } from "ioredis";
import { connect } from "nats";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { identityOf } from "../../internal/local/process-identity.ts";
import {
  databaseForTest,
  natsForTest,
  postgresForTest,
  redisForTest,
  redisServerForTest,
} from "./infrastructure.ts";
import { waitFor } from "./wait-for.ts";

async function query(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe("nats", () => {
  test("two calls give two servers", async () => {
    const [one, other] = await Promise.all([natsForTest(), natsForTest()]);
    expect(one.port).not.toBe(other.port);
  });

  test("a killed server comes back on its port with its streams", async () => {
    await using nats = await natsForTest();
    const before = await connect({ servers: nats.url });
    await (await jetstreamManager(before)).streams.add({ name: "KEPT", subjects: ["kept"] });
    await jetstream(before).publish("kept", "payload");
    await before.close();

    const { pid } = nats;
    await nats.kill();
    expect(nats.running).toBe(false);
    await expect(connect({ servers: nats.url, reconnect: false })).rejects.toThrow();
    await nats.start();
    expect(nats.pid).not.toBe(pid);

    const after = await connect({ servers: nats.url });
    expect((await (await jetstreamManager(after)).streams.info("KEPT")).state.messages).toBe(1);
    await after.close();
  });
});

describe("databases", () => {
  test("each is empty and its own", async () => {
    const [one, other] = await Promise.all([databaseForTest(), databaseForTest()]);
    await query(one, "create table mine ()");
    expect(await query(other, "select to_regclass('mine') as found")).toEqual([{ found: null }]);
  });

  test("prepare runs before it is handed out", async () => {
    const url = await databaseForTest({ prepare: (url) => query(url, "create table prepared ()") });
    expect(await query(url, "select to_regclass('prepared')::text as found")).toEqual([
      { found: "prepared" },
    ]);
  });

  test("a killed Postgres comes back on its port", async () => {
    await using postgres = await postgresForTest();
    await query(postgres.url, "create table kept ()");
    await postgres.kill();
    await expect(query(postgres.url, "select 1")).rejects.toThrow();
    await postgres.start();
    expect(await query(postgres.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});

describe("redis", () => {
  test("each database is empty and its own", async () => {
    const [one, other] = (await Promise.all([redisForTest(), redisForTest()])).map((url) => new Redis(url));
    await one?.set("key", "value");
    expect(await other?.get("key")).toBeNull();
    one?.disconnect();
    other?.disconnect();
  });

  test("a stopped server comes back on its port", async () => {
    await using server = await redisServerForTest();
    await server.stop();
    await server.start();
    const redis = new Redis(server.url);
    expect(await redis.ping()).toBe("PONG");
    redis.disconnect();
  });
});

describe("waitFor", () => {
  test("gives the first truthy value, however often the condition throws before", async () => {
    let calls = 0;
    const value = await waitFor(() => {
      calls += 1;
      if (calls < 3) throw new Error("not yet");
      return calls;
    });
    expect(value).toBe(3);
  });

  test("says what it waited for and what it saw last", async () => {
    await expect(waitFor(() => 0, { timeout: 30, what: "a miracle" })).rejects.toThrow(
      "30 ms for a miracle; at last: 0",
    );
  });
});

test("nothing is left of a process that was killed while its servers ran", async () => {
  const script = `
    import { startRedis } from "./internal/local/redis-server.ts";
    import { watch } from "./test/harness/guard.ts";
    import { tempFolder } from "./test/harness/temp-folder.ts";
    const dir = tempFolder("orphan");
    const { pid } = await startRedis({ dir });
    watch(pid);
    console.log(JSON.stringify({ dir, pid }));
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    cwd: resolve(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve) =>
    child.stdout.once("data", (data) => resolve(String(data))),
  );
  const { dir, pid }: { dir: string; pid: number } = JSON.parse(line);
  expect(existsSync(dir)).toBe(true);
  child.kill("SIGKILL");
  await waitFor(() => identityOf(pid) === undefined);
  await waitFor(() => !existsSync(dir));
});
