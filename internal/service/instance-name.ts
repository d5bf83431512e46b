import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

/**
 * A new name for this process, unique over time and machines: `<host>-<pid>-<random>`, of letters, digits, `_` and `-`,
 * so that it fits into subjects and keys. Each call returns another.
 */
export function newInstanceName(): string {
  // A host's name may have 253 letters.
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9_-]/g, "_")
    .slice(0, 60);
  return `${host}-${process.pid}-${randomBytes(3).toString("hex")}`;
}
