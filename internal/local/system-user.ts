import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** A user of this machine, in the form that `child_process.spawn` takes. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user for a server that refuses to run as root, such as Postgres: `postgres` or `nobody`. Undefined if this
 * process is not root and can run it itself. Throws if it is root and the machine has neither user.
 */
export function unprivilegedUser(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields === undefined) continue;
    const uid = Number(fields[2]);
    const gid = Number(fields[3]);
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  throw new Error(
    "Postgres refuses to run as root and this machine has no user postgres or nobody: add one of them",
  );
}

/** The first folder on the path, itself included, that the user may not enter; undefined if there is none. */
export function closedFolder(path: string, user: SystemUser): string | undefined {
  const folders: string[] = [];
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  return folders.find((folder) => {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    return (mode & bit) === 0;
  });
}
