import { accessSync, constants, statSync } from "node:fs";
import { chmod, lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder outside the project that every user may pass through but only we may write to, for files that a server
 * running as another user must reach. It survives a reboot if the machine has /var/tmp. Throws if another user owns
 * that name.
 */
export async function sharedFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const folder = join(["/var/tmp", "/tmp"].find(isOpen) ?? tmpdir(), `croupier-${uid}`);
  await mkdir(folder, { recursive: true });
  // In a folder that everybody may write to, another user may have created the name as a trap.
  const found = await lstat(folder);
  if (found.uid !== uid || !found.isDirectory())
    throw new Error(`${folder} exists and is not ours: remove it`);
  await chmod(folder, 0o711);
  return folder;
}

function isOpen(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return (statSync(folder).mode & 0o001) !== 0;
  } catch {
    return false;
  }
}
