import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Binary } from "./binaries.ts";

const run = promisify(execFile);

/**
 * Unpacks a program of a Debian package below `cache`, with the dependencies that this machine lacks. Installs nothing,
 * so no system service starts. Resolves to undefined without apt; throws if apt does not know the package or cannot
 * fetch it. Two processes may do it at once.
 */
export async function unpackDebian(
  cache: string,
  name: string,
  further: readonly string[],
  program: string,
): Promise<Binary | undefined> {
  const folder = join(cache, `debian-${name}`);
  if (!existsSync(join(folder, program))) {
    if (!(await works("apt-get", ["--version"])) || !(await works("dpkg", ["--version"]))) return undefined;
    const fresh = await mkdtemp(join(cache, "unpack-"));
    try {
      await downloadInto(fresh, [name, ...further]).catch(async () => {
        // A bare image has no package lists, and a stale list names versions that are gone.
        await run("apt-get", ["-qq", "update"]);
        await downloadInto(fresh, [name, ...further]);
      });
      for (const file of globSync("*.deb", { cwd: fresh }))
        await run("dpkg", ["-x", file, "root"], { cwd: fresh });
      await rename(join(fresh, "root"), folder).catch((error: unknown) => {
        if (!existsSync(join(folder, program))) throw error;
      });
    } catch (error) {
      throw new Error(`apt-get could not fetch ${name}`, { cause: error });
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }
  const libraries = globSync(["usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"], { cwd: folder });
  return {
    path: join(folder, program),
    env:
      libraries.length === 0
        ? {}
        : { LD_LIBRARY_PATH: libraries.map((path) => join(folder, path)).join(":") },
    source: "Debian's package",
  };
}

async function downloadInto(folder: string, packages: readonly string[]): Promise<void> {
  const plan = await run("apt-get", ["install", "--simulate", "--no-install-recommends", ...packages]);
  const missing = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "");
  await run("apt-get", ["-qq", "download", ...new Set([...packages, ...missing])], { cwd: folder });
}

function works(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
