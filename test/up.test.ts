import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../internal/local/free-port.ts";
import { identityOf } from "../internal/local/process-identity.ts";
import { stopAtEnd } from "./harness/guard.ts";
import { tempFolder } from "./harness/temp-folder.ts";
import { waitFor } from "./harness/wait-for.ts";

const main = join(import.meta.dirname, "../cmd/up/main.ts");

interface Up {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly lines: readonly string[];
  readonly stderr: () => string;
}

/** `up` with none of the developer's own servers. */
function up(...args: string[]): Up {
  return upWith({}, args);
}

function upWith(
  more: Readonly<Record<string, string>>,
  args: readonly string[],
  stdout: number | "pipe" = "pipe",
): Up {
  const env = { ...process.env, NATS_URL: "", DATABASE_URL: "", REDIS_URL: "", RATES_URL: "", ...more };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ["ignore", stdout, "pipe"] });
  if (child.pid !== undefined) stopAtEnd(child.pid);
  const lines: string[] = [];
  let [partial, stderr] = ["", ""];
  child.stdout?.on("data", (chunk) => {
    const parts = (partial + chunk).split("\n");
    partial = parts.pop() ?? "";
    lines.push(...parts);
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  return { child, exited: once(child, "exit").then(([code]) => code), lines, stderr: () => stderr };
}

const isUp = ({ stderr }: Up) => waitFor(() => stderr().includes("Croupier is up."));

function processesOf(data: string): Map<string, number> {
  const folder = join(data, "processes");
  const pid = (name: string): number => JSON.parse(readFileSync(join(folder, name), "utf8")).pid;
  return new Map(readdirSync(folder).map((name) => [name, pid(name)]));
}

test("runs the whole pipeline, survives kill -9 of every process and of itself, and stops cleanly", async () => {
  const data = tempFolder("up");
  const port = await freePort();
  const args = ["--data", data, "--port", String(port), "--rate", "100"];
  const total = async (): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}/materialized`);
    return JSON.parse(await response.text()).events_total;
  };

  const first = up(...args);
  await isUp(first);
  await waitFor(() => first.lines.length > 10);
  expect(first.stderr()).toContain(`${data} is in a temporary folder`);
  expect(readFileSync(join(data, "banner.txt"), "utf8")).toContain("Croupier is up.");
  for (const line of first.lines.slice(0, 10)) expect(JSON.parse(line)).toHaveProperty("description");
  await waitFor(async () => (await total()) > 10);

  for (const [name, pid] of processesOf(data)) {
    process.kill(pid, "SIGKILL");
    await waitFor(() => processesOf(data).get(name) !== pid, { what: `${name} to be back` });
  }
  const before = await waitFor(total);
  await waitFor(async () => (await total()) > before, {
    what: "new events after the kills",
  });

  const sameFolder = up("--data", data, "--port", String(await freePort()));
  expect(await sameFolder.exited).toBe(78);
  expect(sameFolder.stderr()).toMatch(/^up: another up \(process \d+\) uses .*\n$/);
  const samePort = up("--data", tempFolder("up"), "--port", String(port));
  expect(await samePort.exited).toBe(78);
  expect(samePort.stderr()).toMatch(/^up: port \d+ is taken: .*\n$/);

  first.child.kill("SIGKILL");
  await first.exited;
  const second = up(...args);
  await isUp(second);
  expect(second.stderr()).toMatch(/stopped what an earlier up left running: .*postgres/);
  await waitFor(async () => (await total()) > before);

  second.child.stdout?.destroy();
  await waitFor(() => second.stderr().includes("the reader of stdout is gone"));
  const then = await total();
  await waitFor(async () => (await total()) > then);

  const left = processesOf(data);
  expect(left.size).toBeGreaterThan(5);
  const asked = performance.now();
  second.child.kill("SIGINT");
  expect(await second.exited).toBe(0);
  expect(performance.now() - asked).toBeLessThan(30_000);
  for (const pid of left.values()) expect(identityOf(pid)).toBeUndefined();
  expect(readdirSync(data)).not.toContain("banner.txt");
}, 400_000);

test("says what is wrong with the command line, and helps", async () => {
  const wrong = up("--nope");
  expect(await wrong.exited).toBe(78);
  expect(wrong.stderr()).toBe('up: There is no flag --nope: "croupier up --help" lists them.\n');
  const all = upWith({ LOG_LEVEL: "loud", EVENTS_MAX_AGE: "soon", STEPS: "currency,price" }, ["--rate", "x"]);
  expect(await all.exited).toBe(78);
  await waitFor(() => all.stderr().split("\n").length > 3);
  expect(all.stderr().split("\n")).toEqual([
    "up: the command line or the configuration is wrong:",
    expect.stringMatching(/^ {2}--rate must be .*, not "x"\.$/),
    expect.stringMatching(/^ {2}LOG_LEVEL must be .*, not "loud"\.$/),
    expect.stringMatching(/^ {2}EVENTS_MAX_AGE must be .*, not "soon"\.$/),
    "  STEPS must name only steps of currency, player, description, not price.",
    "",
  ]);
  const help = up("--help");
  expect(await help.exited).toBe(0);
  await waitFor(() => help.lines.some((line) => line.includes("--no-gateway")));
});

test.runIf(process.platform === "linux")("events wait while the disk under its stdout is full", async () => {
  const data = tempFolder("up");
  const without = ["gateway", "materializer", "archiver", "sender"].map((service) => `--no-${service}`);
  const full = openSync("/dev/full", "w");
  const running = upWith({}, ["--data", data, "--rate", "100", ...without], full);
  closeSync(full);
  await waitFor(() => running.stderr().includes("up: events wait: the disk under stdout is full (ENOSPC)\n"));
  running.child.kill("SIGTERM");
  expect(await running.exited).toBe(0);
  expect(running.stderr()).not.toContain("reader of stdout");
});
