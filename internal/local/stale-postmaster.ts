import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identityOf } from "./process-identity.ts";

/**
 * Removes the lock that a killed Postgres has left in its data folder, where Postgres itself would respect it: while its
 * process id belongs to a zombie, or to another program since the machine or the container was started anew. A postmaster
 * that really has this folder is given 3 s to end, and then left to Postgres' own complaint.
 */
export async function removeStaleLock(data: string): Promise<void> {
  const lock = join(data, "postmaster.pid");
  for (let attempt = 0; existsSync(lock) && attempt < 30; attempt++) {
    if (!isPostmasterOf(data, lock)) rmSync(lock, { force: true });
    else await sleep(100);
  }
}

function isPostmasterOf(data: string, lock: string): boolean {
  const pid = Number(readFileSync(lock, "utf8").split("\n")[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || identityOf(pid) === undefined) return false;
  if (process.platform !== "linux") return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(data);
  } catch {
    // It has just ended.
    return false;
  }
}
