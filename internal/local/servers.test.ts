import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import pg from "pg";
import { describe, expect, inject, test } from "vitest";
import { watch } from "../../test/harness/guard.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { startNats } from "./nats-server.ts";
import { natsConfig, natsUsers } from "./nats-users.ts";
import { startPostgres } from "./postgres-server.ts";
import { identityOf } from "./process-identity.ts";
import { startRedis } from "./redis-server.ts";
import { ServerFailed } from "./server.ts";

const binary = inject("natsServer");

describe("nats-server", () => {
  test("uses the repository's nats.conf with a data folder of its own, and the streams fit", async () => {
    const dir = tempFolder("nats");
    const { variables } = natsUsers("operator");
    await using server = await startNats({ dir, binary, config: natsConfig, variables, spawned: watch });
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    const gibibyte = 2 ** 30;
    for (const [name, size] of Object.entries({ EVENTS: 4, RAW: 1, PRICED: 1, PROFILED: 1, DEAD: 1 })) {
      await manager.streams.add({ name, subjects: [name], max_bytes: size * gibibyte });
    }
    expect(connection.info?.max_payload).toBe(2 ** 20);
    expect(existsSync(join(dir, "jetstream"))).toBe(true);
    await connection.close();
  });

  test("says what the server said when it does not start", async () => {
    const dir = tempFolder("nats");
    const config = join(dir, "wrong.conf");
    writeFileSync(config, "nonsense: {");
    const start = startNats({ dir, binary, config });
    await expect(start).rejects.toThrow(ServerFailed);
    await expect(start).rejects.toThrow(/nats-server ended at its start \(exit code 1\): .*line 1/s);
  });

  test("a given port that is taken is an error", async () => {
    await using first = await startNats({ dir: tempFolder("nats"), binary, spawned: watch });
    const second = startNats({ dir: tempFolder("nats"), binary, port: first.port });
    await expect(second).rejects.toThrow(`port ${first.port} for nats-server is taken`);
  });

  test("is gone when the start is called off", async () => {
    const off = new AbortController();
    let pid = 0;
    const spawned = (id: number) => {
      pid = id;
      off.abort(new Error("called off"));
    };
    const start = startNats({ dir: tempFolder("nats"), binary, spawned, signal: off.signal });
    await expect(start).rejects.toThrow("called off");
    expect(pid).toBeGreaterThan(0);
    expect(identityOf(pid)).toBeUndefined();
  });
});

describe("postgres", () => {
  test("keeps its data over a crash, even where its process id now belongs to another program", async () => {
    const dir = tempFolder("postgres");
    const first = await startPostgres({ dir, durability: "fast", spawned: watch });
    await run(first.url, "create table kept as select 1 as one");
    await first.kill();
    expect(await first.exited).toBe("signal SIGKILL");

    const lock = join(first.place, "data/postmaster.pid");
    writeFileSync(lock, readFileSync(lock, "utf8").replace(String(first.pid), String(process.pid)));
    await using second = await startPostgres({ dir, durability: "fast", port: first.port, spawned: watch });
    expect(await run(second.url, "select one from kept")).toEqual([{ one: 1 }]);
  });

  test("waits for the processes of a predecessor that was killed", async () => {
    const dir = tempFolder("postgres");
    const first = await startPostgres({ dir, durability: "fast", spawned: watch });
    const [child = 0] = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === first.pid)
      .map(([pid]) => pid);
    process.kill(child, "SIGSTOP");
    await first.kill();
    const starting = startPostgres({ dir, durability: "fast", port: first.port, spawned: watch });
    const log = () => readFileSync(join(dir, "postgres.log"), "utf8");
    await waitFor(() => log().includes("pre-existing shared memory block"));
    process.kill(child, "SIGCONT");
    await using second = await starting;
    expect(await run(second.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("casino is no superuser and owns its database; durable means fsync", async () => {
    const dir = tempFolder("postgres");
    // As a full disk leaves it.
    writeFileSync(join(dir, "superuser-password"), "");
    await using server = await startPostgres({ dir, durability: "durable", spawned: watch });
    expect(await run(server.url, "select rolsuper, rolcreatedb from pg_roles where rolname = user")).toEqual([
      { rolsuper: false, rolcreatedb: true },
    ]);
    expect(await run(server.url, "show fsync")).toEqual([{ fsync: "on" }]);
    expect(await run(server.url, "show listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
    await run(server.url, "create schema own");
  });
});

test("redis-server stops when disposed of", async () => {
  let pid = 0;
  {
    await using server = await startRedis({ dir: tempFolder("redis"), spawned: watch });
    pid = server.pid;
    expect(identityOf(pid)).toBeDefined();
  }
  expect(identityOf(pid)).toBeUndefined();
});

async function run(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
