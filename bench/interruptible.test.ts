import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identityOf } from "../internal/local/process-identity.ts";
import { tempFolder } from "../test/harness/temp-folder.ts";
import { waitFor } from "../test/harness/wait-for.ts";

function startBench(...flags: readonly string[]) {
  const folder = tempFolder("bench-test");
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...flags], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  // For a test that failed before its signal. SIGKILL would leave the servers behind.
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return { child, folder, exited, said: () => said };
}

/** The descendants of a process, each with an identity that distinguishes it from a later one of the same id. */
function descendants(pid: number): ReadonlyMap<number, string> {
  const processes = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): readonly number[] =>
    processes.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)]);
  return new Map(below(pid).map((child) => [child, identityOf(child) ?? "gone"]));
}

const cases: readonly (readonly [string, NodeJS.Signals, number, readonly string[], string, number])[] = [
  ["Ctrl-C while servers start", "SIGINT", 130, ["--only", "publishing"], "starting servers", 1],
  [
    "Ctrl-C while something is published",
    "SIGINT",
    130,
    ["--events", "50000", "--only", "publishing"],
    "the broker's limit",
    3,
  ],
  [
    "SIGTERM while services start",
    "SIGTERM",
    143,
    ["--quick", "--only", "latency"],
    "round 1 of 1: latency",
    15,
  ],
];
test.each(cases)(
  "%s leaves no process and no folder behind",
  async (_what, signal, code, flags, line, least) => {
    const { child, folder, exited, said } = startBench(...flags);
    await waitFor(() => said().includes(line), { timeout: 100_000, what: `"${line}" on stderr` });
    const pid = child.pid ?? 0;
    const started = await waitFor(
      () => {
        const found = descendants(pid);
        return found.size >= least && found;
      },
      { what: `${least} processes` },
    );
    child.kill(signal);
    expect(await exited).toBe(code);
    expect(said()).toContain(`${signal}, stopping`);
    const left = () => [...started].filter(([child, identity]) => identityOf(child) === identity);
    // A server's own children, such as Postgres' writers, may end a moment after it.
    await waitFor(() => left().length === 0, { what: "the processes to be gone" });
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  },
  180_000,
);

test("a name that cannot be measured is refused before anything starts", async () => {
  const { exited, said } = startBench("--only", "publishing,nothing");
  expect(await exited).toBe(78);
  expect(said()).toMatch(/--only must be one of publishing, .*, not "publishing,nothing"/);
});
