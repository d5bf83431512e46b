import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer } from "../../internal/local/binaries.ts";
import type { ChaosOptions } from "./options.ts";
import type { Act } from "./plan.ts";
import { smallDisk } from "./small-disk.ts";
import type { Topology } from "./stack.ts";

const run = promisify(execFile);

/** The acts that can run on this machine, and sentences about those left out. Faults requested by name are always tried. */
export async function feasible(
  plan: readonly Act[],
  { faults, natsServer }: ChaosOptions,
): Promise<{ readonly plan: readonly Act[]; readonly leftOut: readonly string[] }> {
  if (faults.length > 0) return { plan, leftOut: [] };
  const reasons = await Promise.all(plan.map(({ topology }) => obstacle(topology, natsServer)));
  return {
    plan: plan.filter((_, index) => reasons[index] === undefined),
    leftOut: plan.flatMap((act, index) =>
      reasons[index] === undefined
        ? []
        : [`Left out: ${act.faults.map(({ name }) => name).join(", ")}: ${reasons[index]}.`],
    ),
  };
}

/** Why a topology is impossible here, or its results would be meaningless; otherwise undefined. */
async function obstacle(topology: Topology, natsServer: string | undefined): Promise<string | undefined> {
  if (topology === "cluster") {
    const binary = natsServer ?? (await findNatsServer()).path;
    const { stdout } = await run(binary, ["--version"]);
    const [major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
    const isOld = major < 2 || (major === 2 && minor < 10);
    if (!isOld) return undefined;
    return `nats-server ${major}.${minor} can stop delivering from a cluster when a node is killed; take 2.10.23 or newer`;
  }
  if (topology === "small-disk") {
    const folder = mkdtempSync(join(tmpdir(), "croupier-mount-"));
    try {
      (await smallDisk(join(folder, "store"), "true", 2 ** 20)).close();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return undefined;
}
