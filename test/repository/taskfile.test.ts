import { execFile } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { tempFolder } from "../harness/temp-folder.ts";

const root = join(import.meta.dirname, "../..");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
const { tasks } = parse(readFileSync(join(root, "Taskfile.yml"), "utf8")) as {
  tasks: Record<string, { desc: string; cmd: string }>;
};

test("Taskfile.yml has a task for each npm script, which runs just that", () => {
  expect(Object.keys(tasks).sort()).toEqual(Object.keys(scripts).sort());
  for (const [name, { cmd }] of Object.entries(tasks).filter(([name]) => name !== "up"))
    expect(cmd.replace(/ -- \{\{\.CLI_ARGS\}\}$/, "")).toBe(`npm run ${name}`);
});

describe("task up", () => {
  test.each([
    ["no engine answers", { info: 1, compose: 0 }],
    ["the engine has no Compose", { info: 0, compose: 1 }],
  ])("where %s runs npm run up with its flags, and says so", async (_, engine) => {
    const { ran, said } = await taskUp({ ...engine, args: "--rate 5" });
    expect(ran).toEqual(["npm run up -- --rate 5"]);
    expect(said).toContain("npm run up");
  });

  test("where an engine answers runs docker compose, and says so and where everything is", async () => {
    const { ran, said } = await taskUp({ info: 0, compose: 0, args: "" });
    expect(ran.slice(0, 1)).toEqual(["docker compose up --build --wait"]);
    expect(ran.join()).not.toContain("npm");
    expect(said).toContain("a Docker engine answers");
    expect(said).toContain("curl http://127.0.0.1:3000/materialized\n");
    expect(said).toContain("nats --server 127.0.0.1:4222 sub 'casino.>'\n");
    expect(said).toContain("nats --server 127.0.0.1:4222 req casino.materialized ''\n");
  });

  test("where an engine answers refuses flags, which containers take none of, and says what to type", async () => {
    const refused = await taskUp({ info: 0, compose: 0, args: "--rate 5" }).catch((err: unknown) => err);
    expect(refused).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("type: npm run up -- --rate 5\n"),
    });
  });

  test("ends as docker compose does when that fails", async () => {
    await expect(taskUp({ info: 0, compose: 0, up: 17, args: "" })).rejects.toMatchObject({ code: 17 });
  });
});

/** Runs the task's lines in sh, where `docker` and `npm` only write down how they were called and end with these codes. */
async function taskUp(of: { info: number; compose: number; up?: number; args: string }) {
  const folder = tempFolder("task");
  const program = (name: string, lines: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${lines}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  program("npm", `echo "npm $*"`);
  program(
    "docker",
    `case "$*" in
      info) exit ${of.info} ;;
      "compose version") exit ${of.compose} ;;
      "compose port gateway 3000") echo 127.0.0.1:3000 ;;
      "compose port nats 4222") echo 127.0.0.1:4222 ;;
      *) echo "docker $*"; exit ${of.up ?? 0} ;;
    esac`,
  );
  const script = (tasks.up?.cmd ?? "").replaceAll("{{.CLI_ARGS}}", of.args);
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const { stdout, stderr } = await promisify(execFile)("sh", ["-c", script], { env });
  return { ran: stdout.split("\n").filter(Boolean), said: stderr };
}
