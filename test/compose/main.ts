// Runs the image and both compose files for real: `npm run compose-check`, or only parts of it: `npm run compose-check --
// image cluster`. Needs a Docker engine that answers. Takes no ports, names or volumes of a stack that runs beside it, and
// removes everything it made.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkCluster } from "./cluster.ts";
import { checkDocumented } from "./documented.ts";
import { checkFaults } from "./faults.ts";
import { checkFirstTry } from "./first-try.ts";
import { checkImage } from "./image.ts";
import { checkObservability } from "./observability.ts";
import { docker, Project, type ProjectOptions } from "./project.ts";
import { check } from "./report.ts";

const scratch = mkdtempSync(join(tmpdir(), "croupier-compose-"));

/** Runs checks against a stack of their own and takes it down, with all that it stored, whatever happens. */
async function on(options: ProjectOptions, checks: (project: Project) => Promise<void>): Promise<void> {
  const project = await Project.of(options);
  try {
    await checks(project);
  } catch (err) {
    process.stderr.write(await project.compose("ps", "--all").catch(String));
    process.stderr.write(await project.compose("logs", "--tail", "15").catch(String));
    throw err;
  } finally {
    await check("it goes down and leaves nothing behind", async () => {
      await project.down("--volumes");
      assert.deepEqual(await project.leftovers(), []);
    });
  }
}

/** An .env as .env.example tells how to make one. */
function madeUpPasswords(): string {
  const [, comment] = /^# +(awk .*?) > \.env$/ms.exec(readFileSync(".env.example", "utf8")) ?? [];
  assert(comment !== undefined, ".env.example no longer says how to make up passwords");
  const command = comment.replaceAll("\n#", "\n");
  const file = join(scratch, "env");
  // The ports are those of the project, as the shell's win over the file's.
  writeFileSync(file, execFileSync("sh", ["-c", command], { encoding: "utf8" }));
  return file;
}

const clustered = ["docker-compose.yml", "docker-compose.cluster.yml"];
const parts: Readonly<Record<string, () => Promise<void>>> = {
  image: checkImage,
  "first-try": () => on({ name: "croupier-check" }, checkFirstTry),
  faults: () =>
    on(
      { name: "croupier-check-faults", envFile: madeUpPasswords(), env: { NATS_ANONYMOUS: "" } },
      checkFaults,
    ),
  observability: () =>
    on(
      { name: "croupier-check-observability", env: { COMPOSE_PROFILES: "observability" } },
      checkObservability,
    ),
  cluster: () => on({ name: "croupier-check-cluster", files: clustered }, checkCluster),
  documented: () => on({ name: "croupier-check-docs", files: clustered }, checkDocumented),
};

try {
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
  const unknown = chosen.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0)
    throw new Error(`there is no ${unknown.join()}, only ${Object.keys(parts).join(", ")}`);
  await docker(["info", "--format", "{{.ServerVersion}}"]).catch((err: unknown) => {
    throw new Error("no Docker engine answers; `docker info` says why", { cause: err });
  });
  for (const name of chosen) await parts[name]?.();
} catch (err) {
  process.stderr.write(`compose-check: ${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true });
}
