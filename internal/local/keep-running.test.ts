import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Child, follow } from "./child.ts";
import { keepRunning } from "./keep-running.ts";

const start = async (script: string): Promise<Child> =>
  follow(spawn("sh", ["-c", script], { stdio: "ignore" }), "SIGTERM");

test.each(["SIGKILL", "SIGTERM"] as const)(
  "a process that ends by %s is started again after 0.1 s, and it is said",
  async (signal) => {
    const said: string[] = [];
    const children: Child[] = [];
    const kept = keepRunning(
      "sleeper",
      () => remember(start("exec sleep 60"), children),
      (line) => said.push(line),
    );
    const first = await kept.started;
    process.kill(first.pid, signal);
    const second = await waitFor(() => children[1]);
    expect(said).toEqual([`sleeper ended (signal ${signal}); it starts again in 0.1 s`]);

    await kept.stop(1_000);
    expect(await second.exited).toBe("signal SIGTERM");
    expect(said).toHaveLength(1);
    expect(children).toHaveLength(2);
  },
);

test("one that ends at once each time is started again with growing pauses", async () => {
  const said: string[] = [];
  const kept = keepRunning(
    "failing",
    () => start("exit 3"),
    (line) => said.push(line),
  );
  await waitFor(() => said.length >= 3);
  await kept.stop(1_000);
  expect(said.slice(0, 3)).toEqual(
    [0.1, 0.5, 1].map((s) => `failing ended (exit code 3); it starts again in ${s} s`),
  );
});

test("a later start that fails is tried again; the first one is not", async () => {
  let starts = 0;
  const said: string[] = [];
  const flaky = keepRunning(
    "flaky",
    async () => {
      starts += 1;
      if (starts === 2) throw new Error("port taken");
      return start(starts === 1 ? "exit 0" : "exec sleep 60");
    },
    (line) => said.push(line),
  );
  await waitFor(() => starts === 3);
  expect(said).toContain("flaky did not start and is tried again: Error: port taken");
  await flaky.stop(1_000);

  const broken = keepRunning(
    "broken",
    () => Promise.reject(new Error("no binary")),
    () => undefined,
  );
  await expect(broken.started).rejects.toThrow("no binary");
  await broken.stop(1_000);
});

test("one that ignores the request to stop is killed", async () => {
  const deaf = join(tempFolder("deaf"), "now");
  const kept = keepRunning(
    "deaf",
    () => start(`trap '' TERM; : > ${deaf}; while :; do sleep 1; done`),
    () => undefined,
  );
  const child = await kept.started;
  await waitFor(() => existsSync(deaf));
  await kept.stop(200);
  expect(await child.exited).toBe("signal SIGKILL");
});

test("stopping calls off a start that is under way", async () => {
  const kept = keepRunning<Child>(
    "slow",
    (signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    () => undefined,
  );
  await kept.stop(1_000);
  await expect(kept.started).rejects.toThrow("slow is no longer wanted");
});

async function remember(child: Promise<Child>, all: Child[]): Promise<Child> {
  all.push(await child);
  return child;
}
