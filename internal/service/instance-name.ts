import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

/**
 * A name for this process among all others, before and after it: `<host>-<pid>-<random>`, of letters, digits, `_` and `-`, so that it
 * is fit for a subject and a key. Another one with each call.
 */
export function newInstanceName(): string {
  // A host's name may have 253 letters.
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9_-]/g, "_")
    .slice(0, 60);
  return `${host}-${process.pid}-${randomBytes(3).toString("hex")}`;
}
