import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identityOf } from "./process-identity.ts";

/**
 * Removes the lock file of a killed Postgres that Postgres itself would respect, because the process id in it belongs
 * to a zombie, or to another program after a restart of the machine or container. A postmaster that really uses this
 * folder gets 3 s to end; after that Postgres reports it.
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
    // The process has just ended.
    return false;
  }
}
