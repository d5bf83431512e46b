import { accessSync, constants, statSync } from "node:fs";
import { chmod, lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder of ours outside the project that every user may pass through but only we may write to, for what a server that
 * runs as another user must reach. It outlives a reboot where the machine has /var/tmp. Throws when somebody else has
 * taken its name.
 */
export async function sharedFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const folder = join(openRoot(), `croupier-${uid}`);
  await mkdir(folder, { recursive: true });
  // In a folder everybody writes to, the name may be somebody else's trap.
  const found = await lstat(folder);
  if (found.uid !== uid || !found.isDirectory())
    throw new Error(`${folder} exists and is not ours: remove it`);
  await chmod(folder, 0o711);
  return folder;
}

function openRoot(): string {
  return ["/var/tmp", "/tmp"].find(isOpen) ?? tmpdir();
}

function isOpen(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return (statSync(folder).mode & 0o001) !== 0;
  } catch {
    return false;
  }
}
