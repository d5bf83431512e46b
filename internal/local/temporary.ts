import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { sep } from "node:path";

/** Folders that a restart of the machine, or a periodic cleaner, empties. */
const temporary = [tmpdir(), "/tmp", "/var/tmp", "/dev/shm", "/run"];

/** Whether a restart of the machine may delete this path, which must exist. */
export function isTemporary(path: string): boolean {
  const place = realpathSync(path) + sep;
  return temporary.some((folder) => {
    try {
      return place.startsWith(realpathSync(folder) + sep);
    } catch {
      return false; // not on this machine
    }
  });
}
