import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Binary } from "./binaries.ts";

const run = promisify(execFile);

interface DebianPackage {
  readonly name: string;
  /** Other packages that it takes. */
  readonly further?: readonly string[];
  /** The program's path in the package. */
  readonly program: string;
  /**
   * The Debian release to take it from, whichever this machine has: `stable` is the newest one. Only for a program that needs
   * nothing but libc. Default: the machine's own.
   */
  readonly release?: "stable";
  /** Where that release comes from. Default: Debian's own server. */
  readonly mirror?: string | undefined;
}

/** How long apt may take for another release, in ms: mostly 5 s. */
const otherReleaseMs = 20_000;
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Unpacks a program of a Debian package below `cache`, with the dependencies that this machine lacks. Installs nothing,
 * so no system service starts. Resolves to undefined without apt; throws if apt does not know the package or cannot
 * fetch it. Two processes may do it at once.
 */
export async function unpackDebian(
  cache: string,
  { name, further = [], program, release, mirror = "http://deb.debian.org/debian" }: DebianPackage,
): Promise<Binary | undefined> {
  const folder = join(cache, ["debian", release, name].filter(Boolean).join("-"));
  if (!existsSync(join(folder, program))) {
    if (!(await works("apt-get", ["--version"])) || !(await works("dpkg", ["--version"]))) return undefined;
    const fresh = await mkdtemp(join(cache, "unpack-"));
    try {
      if (release === undefined) await downloadOwn(fresh, [name, ...further]);
      else await downloadFrom(`${mirror} ${release}`, fresh, name);
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

async function downloadOwn(folder: string, packages: readonly string[]): Promise<void> {
  await downloadInto(folder, packages).catch(async () => {
    // A bare image has no package lists, and a stale list names versions that are gone.
    await run("apt-get", ["-qq", "update"]);
    await downloadInto(folder, packages);
  });
}

async function downloadInto(folder: string, packages: readonly string[]): Promise<void> {
  const plan = await run("apt-get", ["install", "--simulate", "--no-install-recommends", ...packages]);
  const missing = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "");
  await run("apt-get", ["-qq", "download", ...new Set([...packages, ...missing])], { cwd: folder });
}

/** Uses package lists of its own, so that the machine's stay as they are. apt checks Debian's signature. */
async function downloadFrom(origin: string, folder: string, name: string): Promise<void> {
  const sources = join(folder, "sources.list");
  await writeFile(sources, `deb [signed-by=${debianKeys}] ${origin} main\n`);
  for (const place of ["lists/partial", "cache/archives/partial"])
    await mkdir(join(folder, place), { recursive: true });
  const settings = {
    "Dir::Etc::SourceList": sources,
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "Acquire::Languages": "none",
    "Acquire::Retries": "0",
    "Acquire::http::Timeout": "5",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const bounds = { cwd: folder, signal: AbortSignal.timeout(otherReleaseMs) };
  await run("apt-get", [...options, "-qq", "update"], bounds);
  await run("apt-get", [...options, "-qq", "download", name], bounds);
}

function works(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
