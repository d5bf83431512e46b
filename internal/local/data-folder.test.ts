import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { takeDataFolder } from "./data-folder.ts";
import { deliveryEnvironment } from "./delivery-key.ts";
import { identityOf } from "./process-identity.ts";
import { StackError } from "./stack-error.ts";

test("one up at a time", async () => {
  const dir = tempFolder("data");
  const first = await takeDataFolder(dir);
  const message = `another up (process ${process.pid}) uses ${dir}: stop it, or choose another folder with --data`;
  await expect(takeDataFolder(dir)).rejects.toThrow(message);
  first.release();
  (await takeDataFolder(dir)).release();
});

test("the lock of a killed up does not count, nor that of another process with its id", async () => {
  const dir = tempFolder("data");
  for (const stale of ["999999999 x", `${process.pid} another boot 1`, "", "nonsense"]) {
    writeFileSync(join(dir, "croupier-data"), "");
    writeFileSync(join(dir, "lock"), stale);
    (await takeDataFolder(dir)).release();
  }
});

test("a folder with somebody else's files is refused and left as it is", async () => {
  const dir = tempFolder("data");
  writeFileSync(join(dir, "thesis.tex"), "");
  await expect(takeDataFolder(dir)).rejects.toThrow(StackError);
  expect(readdirSync(dir)).toEqual(["thesis.tex"]);
});

test("a path that cannot be a folder is said in one sentence", async () => {
  const dir = join(tempFolder("data"), "file");
  writeFileSync(dir, "");
  await expect(takeDataFolder(join(dir, "below"))).rejects.toThrow(StackError);
});

test("a folder made in vain is gone again, one that was there or holds something stays", async () => {
  const dir = tempFolder("data");
  const made = join(dir, "made");
  (await takeDataFolder(made)).release();
  expect(existsSync(made)).toBe(false);

  const used = await takeDataFolder(made);
  mkdirSync(used.of("nats"));
  used.release();
  expect(readdirSync(made).sort()).toEqual(["croupier-data", "nats"]);

  const there = join(dir, "there");
  mkdirSync(there);
  (await takeDataFolder(there)).release();
  expect(readdirSync(there)).toEqual(["croupier-data"]);
});

test("emptying deletes what up has made and nothing else", async () => {
  const dir = tempFolder("data");
  const folder = await takeDataFolder(dir);
  for (const name of ["nats", "postgres", "redis", "notes"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, "notes/mine"), "");
  folder.empty();
  expect(readdirSync(dir).sort()).toEqual(["croupier-data", "lock", "notes"]);
  expect(existsSync(join(dir, "notes/mine"))).toBe(true);
  folder.release();
});

test("leftovers are stopped; a process that merely has a leftover's id is not", async () => {
  const folder = await takeDataFolder(tempFolder("data"));
  const sleeper = spawn("sleep", ["60"]);
  const stranger = spawn("sleep", ["60"]);
  try {
    await new Promise((resolve) => stranger.once("spawn", resolve));
    folder.processes.record("sleeper", sleeper.pid ?? 0, 1, "SIGTERM");
    folder.processes.record("gone", 999_999_999, 1, "SIGTERM");
    const file = { pid: stranger.pid, identity: "another boot 1", stage: 1, signal: "SIGTERM" };
    writeFileSync(join(folder.path, "processes", "stranger"), JSON.stringify(file));
    expect(await folder.processes.stopLeftovers()).toEqual(["sleeper"]);
    expect(identityOf(sleeper.pid ?? 0)).toBeUndefined();
    expect(identityOf(stranger.pid ?? 0)).toBeDefined();
    expect(await folder.processes.stopLeftovers()).toEqual([]);
  } finally {
    stranger.kill();
    sleeper.kill();
    folder.release();
  }
});

test("a process that a full disk keeps from being recorded is none that failed to start", async () => {
  const folder = await takeDataFolder(tempFolder("data"));
  writeFileSync(join(folder.path, "processes"), "");
  folder.processes.record("own", process.pid, 1, "SIGTERM");
  expect(await folder.processes.stopLeftovers()).toEqual([]);
  folder.release();
});

test("the delivery key is made once, and again where a full disk has left it empty", () => {
  const dir = tempFolder("data");
  writeFileSync(join(dir, "delivery-key"), "");
  const { DELIVERY_KEY } = deliveryEnvironment({}, dir);
  expect(Buffer.from(DELIVERY_KEY ?? "", "base64")).toHaveLength(32);
  expect(deliveryEnvironment({}, dir).DELIVERY_KEY).toBe(DELIVERY_KEY);
});
